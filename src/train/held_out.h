// SPDX-License-Identifier: Apache-2.0
// What a model can do while it is still being trained: problems of the test split, decoded greedily
// by the engine with the full cache, graded like any task.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "train/recipe.h"

namespace laconic::train {

struct HeldOutFamily {
  std::string family;
  std::size_t problems = 0, correct = 0;
  std::size_t tokens = 0;  // generated
};

struct HeldOut {
  std::vector<HeldOutFamily> families;

  double accuracy() const;  // over all problems
  nlohmann::ordered_json to_json() const;
};

// `model` is a Hugging Face folder. The same `recipe.evaluate.problems` problems of each of the
// recipe's families every time. `on_step` is called often; what it throws ends the evaluation.
HeldOut evaluate_held_out(const std::filesystem::path& model, const Recipe& recipe,
                          std::size_t threads, const std::function<void()>& on_step = {});

}  // namespace laconic::train
