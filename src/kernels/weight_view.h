// SPDX-License-Identifier: Apache-2.0
// A weight matrix as a checkpoint stores it.
#pragma once

#include <cstddef>

#include "base/dtype.h"

namespace laconic {

// Row r holds the weights of output feature r. `data` needs no alignment: mapped files promise
// nothing about where a tensor begins.
struct WeightView {
  DType type = DType::kF32;
  const std::byte* data = nullptr;  // [rows][row_bytes(type, cols)]
  std::size_t rows = 0;             // output features
  std::size_t cols = 0;             // input features; a multiple of block_elements(type)

  std::size_t bytes() const { return rows * row_bytes(type, cols); }
};

// One row of a weight matrix as f32: the embedding look-up.
void dequantize_row(const WeightView& w, std::size_t row, float* out /* [cols] */);

namespace reference {
void dequantize_row(const WeightView& w, std::size_t row, float* out);
}  // namespace reference

}  // namespace laconic
