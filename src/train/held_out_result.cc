// SPDX-License-Identifier: Apache-2.0
#include "train/held_out.h"

namespace laconic::train {

double HeldOut::accuracy() const {
  std::size_t problems = 0, correct = 0;
  for (const HeldOutFamily& family : families) {
    problems += family.problems;
    correct += family.correct;
  }
  return problems == 0 ? 0.0 : static_cast<double>(correct) / static_cast<double>(problems);
}

nlohmann::ordered_json HeldOut::to_json() const {
  nlohmann::ordered_json by_family = nlohmann::ordered_json::object();
  for (const HeldOutFamily& family : families) {
    const auto problems = static_cast<double>(family.problems);
    by_family[family.family] = {{"problems", family.problems},
                                {"correct", family.correct},
                                {"accuracy", static_cast<double>(family.correct) / problems},
                                {"mean_tokens", static_cast<double>(family.tokens) / problems}};
  }
  return {{"accuracy", accuracy()}, {"families", std::move(by_family)}};
}

}  // namespace laconic::train
