// SPDX-License-Identifier: Apache-2.0
#include "engine/float64_compare.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace laconic::test {

double largest_difference(const std::vector<float>& got, const std::vector<double>& want) {
  if (got.size() != want.size()) return std::numeric_limits<double>::infinity();
  double largest = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    largest = std::max(largest, std::abs(static_cast<double>(got[i]) - want[i]));
  }
  return largest;
}

void expect_answer(Float64Decoder& plain, const Generation& got, double tolerance,
                   const std::function<void(std::size_t step)>& after_step) {
  ASSERT_EQ(got.logits.size(), got.ids.size() + 1) << "keep_logits, and a whole answer";
  std::vector<double> logits;
  plain.begin_prompt();
  for (const std::int32_t id : got.prompt_ids) logits = plain.read(id);
  plain.begin_generation();
  for (std::size_t step = 0;; ++step) {
    ASSERT_LE(largest_difference(got.logits[step], logits), tolerance) << "step " << step;
    if (after_step) after_step(step);
    if (step == got.ids.size()) return;
    logits = plain.generate(got.ids[step]);
  }
}

}  // namespace laconic::test
