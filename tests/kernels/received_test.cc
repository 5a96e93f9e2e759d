// SPDX-License-Identifier: Apache-2.0
#include "kernels/received.h"

#include <gtest/gtest.h>

#include "kernel_testing.h"

namespace laconic {
namespace {

using test::on_every_target;
using test::random_floats;

// Weights as a softmax gives them: none is negative.
std::vector<float> random_weights(std::size_t n, std::uint32_t seed) {
  std::vector<float> out = random_floats(n, seed);
  for (float& value : out) value = std::fabs(value);
  return out;
}

TEST(ReceivedWeights, EqualTheTwinOnEveryTarget) {
  on_every_target([] {
    for (const std::size_t rows : {0u, 1u, 15u, 16u, 17u, 64u, 1000u}) {
      for (const std::size_t group : {1u, 2u, 7u}) {
        const std::size_t stride = rows + 3;
        const std::vector<float> weights = random_weights(group * stride, 1);
        for (const GroupWeight of_group : {GroupWeight::kSum, GroupWeight::kLargest}) {
          for (const auto& [decay, share] :
               {std::pair{1.0f, 1.0f}, {0.9f, 1.0f}, {1.0f, 1.0f / 7}, {0.9f, 1.0f / 7}}) {
            const ReceivedWeights step{weights.data(), rows, group, stride, of_group, decay, share};
            std::vector<float> got = random_weights(rows, 2), expected = got;
            add_received_weights(step, got.data());
            reference::add_received_weights(step, expected.data());
            EXPECT_TRUE(test::same_bits(got, expected)) << rows << " rows of " << group;
          }
        }
      }
    }
  });
}

}  // namespace
}  // namespace laconic
