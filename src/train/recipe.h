// SPDX-License-Identifier: Apache-2.0
// What a training run is: a JSON file that says everything that shapes the weights.
//
// Promises: a key that the recipe does not know, and a value out of its range, are refused with the
// key's place and what is allowed. A run may go on under a changed recipe only where the change
// cannot contradict the weights' history: see `changes`.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/json.h"
#include "train/decoder.h"
#include "train/schedule.h"

namespace laconic::train {

enum class DataKind { kProblems, kShards };
enum class OptimizerKind { kMuon, kAdamW };

// Difficulty of the problems by tokens seen: a straight line from `start` to 1.
struct Curriculum {
  double start = 1.0;
  std::uint64_t full_at_tokens = 0;

  double difficulty(std::uint64_t seen) const;
};

struct DataRecipe {
  DataKind kind = DataKind::kProblems;
  std::uint64_t seed = 1;                    // problems
  std::vector<std::string> families;         // problems; empty: all
  Curriculum curriculum;                     // problems
  bool learn_question = false;               // problems: the prompt's tokens are targets too
  std::vector<std::filesystem::path> files;  // shards, in the order of reading
};

struct OptimizerRecipe {
  OptimizerKind kind = OptimizerKind::kMuon;
  double learning_rate = 0;        // of the hidden matrices under Muon, of everything under AdamW
  double adamw_learning_rate = 0;  // Muon: embedding, head, norms and biases
  double weight_decay = 0.1;
  double beta1 = 0.9, beta2 = 0.95;  // AdamW
  double momentum = 0.95;            // Muon
  double clip = 1.0;                 // global norm of the gradient; 0: none
};

struct EvaluateRecipe {
  std::uint64_t every_tokens = 0;  // 0: never
  std::size_t problems = 100;      // per family
  std::int64_t max_tokens = 2000;
};

struct Recipe {
  std::filesystem::path file;  // where it was read from
  std::string name;
  std::uint64_t seed = 1;
  Json model;                       // fields of a config.json; vocab_size may be absent
  std::filesystem::path tokenizer;  // folder, relative to the recipe's own
  DataRecipe data;
  std::size_t batch_tokens = 8192;
  std::uint64_t tokens = 0;  // length of the run
  OptimizerRecipe optimizer;
  Schedule schedule;
  Precision precision = Precision::kBF16;
  EvaluateRecipe evaluate;
  double checkpoint_seconds = 300;

  // Every value in one place, defaults filled in, without paths: what a checkpoint remembers.
  Json resolved() const;
};

Recipe load_recipe(const std::filesystem::path& file);
Recipe parse_recipe(const Json& document, const std::filesystem::path& file);

// What differs between two Recipe::resolved(), as "optimizer.learning_rate (0.02, now 0.01)".
struct RecipeChanges {
  std::vector<std::string> allowed;    // name, tokens, schedule, evaluate, checkpoint, and the
                                       // optimizer's numbers
  std::vector<std::string> forbidden;  // everything else: the weights' history would be another
};
RecipeChanges recipe_changes(const Json& before, const Json& now);

}  // namespace laconic::train
