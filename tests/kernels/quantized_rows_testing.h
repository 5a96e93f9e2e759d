// SPDX-License-Identifier: Apache-2.0
// Comparing rows of QuantizedRows.
#pragma once

#include <cstring>

#include "kernels/quantized_rows.h"

namespace laconic::test {

// Bits of two f32, so that NaN equals NaN.
inline bool same(float a, float b) { return std::memcmp(&a, &b, sizeof(a)) == 0; }

// What belongs to row i of the two, bit for bit.
inline bool row_equal(QuantizedRows& a, QuantizedRows& b, std::size_t i) {
  const std::size_t r = i % kRowsAbreast;
  for (std::size_t k = 0; k < a.cols() / kQuantBlock; ++k) {
    const QuantizedBlock& x = a.blocks_of_row(i)[k];
    const QuantizedBlock& y = b.blocks_of_row(i)[k];
    if (std::memcmp(x.values[r], y.values[r], kQuantBlock) != 0 ||
        !same(x.scales[r], y.scales[r]) || !same(x.weighted_sums[r], y.weighted_sums[r]) ||
        x.offsets_128[r] != y.offsets_128[r] || x.offsets_8[r] != y.offsets_8[r] ||
        x.offsets_32[0][r] != y.offsets_32[0][r] || x.offsets_32[1][r] != y.offsets_32[1][r]) {
      return false;
    }
  }
  return true;
}

}  // namespace laconic::test
