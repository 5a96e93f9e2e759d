// SPDX-License-Identifier: Apache-2.0
// What rows of the cache receive from the queries of a step: attention weights added up.
#pragma once

#include <cstddef>

namespace laconic {

enum class GroupWeight { kSum, kLargest };  // of the query heads that share a KV head

// What becomes of the weights of one step.
struct ReceivedWeights {
  const float* weights;  // [group], `stride` apart, each [rows]
  std::size_t rows, group, stride;
  GroupWeight of_group;
  float decay, share;
};

// sums[r] = decay * sums[r] + share * (the group's sum, or its largest, of weights[g][r]), heads in
// order, and each operation rounded. PRECONDITION: no weight is negative.
void add_received_weights(const ReceivedWeights& step, float* sums /* [rows] */);

namespace reference {
void add_received_weights(const ReceivedWeights& step, float* sums);
}  // namespace reference

}  // namespace laconic
