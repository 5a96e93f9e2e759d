// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "kernels/received.h"

namespace laconic::reference {

void add_received_weights(const ReceivedWeights& step, float* sums) {
  for (std::size_t row = 0; row < step.rows; ++row) {
    float now = 0;
    for (std::size_t g = 0; g < step.group; ++g) {
      const float weight = step.weights[g * step.stride + row];
      now = step.of_group == GroupWeight::kLargest ? std::max(now, weight) : now + weight;
    }
    sums[row] = step.decay * sums[row] + step.share * now;
  }
}

}  // namespace laconic::reference
