// SPDX-License-Identifier: Apache-2.0
// Texts of different lengths in one row without padding. Attention never crosses a start.
#pragma once

#include <cstdint>
#include <vector>

#include "train/compat.h"

namespace laconic::train {

struct PackedBatch {
  Tensor ids;        // int64 [tokens]
  Tensor targets;    // int64 [tokens]: the id that follows, or -1 where nothing is learned
  Tensor positions;  // int64 [tokens]: place in its own text
  std::vector<std::int64_t> starts;  // [texts + 1]: first token of each text, then `tokens`
};

}  // namespace laconic::train
