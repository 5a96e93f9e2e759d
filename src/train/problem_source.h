// SPDX-License-Identifier: Apache-2.0
// Texts straight from the problem generator: a problem asked through the tokenizer folder's chat
// template, its solution, and the end token. The difficulty rises as the recipe's curriculum says.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>

#include "data/problem.h"
#include "data/token_shard.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"
#include "train/recipe.h"
#include "train/stream.h"

namespace laconic::train {

class ProblemSource : public TextSource {
 public:
  // Error(kInput) when the folder has no chat template, no end token, or a template that does not
  // open the think block in which solutions begin.
  ProblemSource(const DataRecipe& recipe, const std::filesystem::path& tokenizer_folder);

  TrainingText text(std::uint64_t index, std::uint64_t tokens_before) const override;
  std::size_t vocab_size() const override { return tokenizer_.vocab_size(); }
  std::string fingerprint() const override;
  double difficulty(std::uint64_t tokens_before) const override;
  void check(const TextLimits& limits) const override;  // a sample of the largest problems

  Vocabulary vocabulary() const;

 private:
  std::string prompt(const std::string& question) const;

  ProblemOptions options_;
  Curriculum curriculum_;
  bool learn_question_;
  Tokenizer tokenizer_;
  ChatTemplate template_;
};

}  // namespace laconic::train
