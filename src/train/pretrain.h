// SPDX-License-Identifier: Apache-2.0
// A training run from its recipe to a Hugging Face folder.
//
// Promises: killed at any moment and started again, it reads the same texts in the same order; on
// the CPU, with the same number of threads and the same instruction set, it ends with the same bits
// as an undisturbed run (libtorch does not promise that of CUDA). The log and the checkpoints of a
// folder belong to one recipe: another one is refused, naming the field. Texts too long for the
// recipe are refused at the start as far as the source can see them. A full disk costs a
// checkpoint, not the run; another error costs no step: a checkpoint is written before it goes on
// to the caller. Never prints: what it has to say goes through PretrainHooks.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "train/compat.h"
#include "train/held_out.h"
#include "train/recipe.h"
#include "train/stream.h"

namespace laconic::train {

struct PretrainOptions {
  std::filesystem::path out;   // see RunFolder
  std::filesystem::path init;  // folder with weights to begin from; empty: random
  torch::Device device = torch::kCPU;
  std::optional<std::uint64_t> stop_after_steps;  // of this process
};

struct PretrainProgress {
  std::uint64_t step = 0, tokens = 0, total_tokens = 0;
  double loss = 0, tokens_per_second = 0, seconds_left = 0;
  std::optional<double> held_out;  // accuracy of the last evaluation
};

struct PretrainHooks {
  std::function<void(const std::string&)> say;            // one sentence for the user
  std::function<void(const PretrainProgress&)> progress;  // after each step
  std::function<bool()> stop;                             // true: write a checkpoint and return
  // Accuracy of the model in a folder, when it is due. Calls its second argument often.
  std::function<HeldOut(const std::filesystem::path&, const std::function<void()>&)> evaluate;
};

// kFinished: all tokens, and the last evaluation where one is due.
enum class PretrainEnd { kFinished, kStopped };

// On return OUT/model holds the model as it stands, and the newest checkpoint the same weights.
PretrainEnd pretrain(const Recipe& recipe, const TextSource& source, const PretrainOptions& options,
                     const PretrainHooks& hooks);

}  // namespace laconic::train
