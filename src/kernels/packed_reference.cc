// SPDX-License-Identifier: Apache-2.0
#include <vector>

#include "kernels/packed.h"

namespace laconic::reference {
namespace {

double activation(const QuantizedRowsView& x, std::size_t row, std::size_t column) {
  const std::size_t blocks = x.cols / kQuantBlock;
  const QuantizedBlock& block = x.blocks[row / kRowsAbreast * blocks + column / kQuantBlock];
  const std::size_t lane = row % kRowsAbreast;
  return static_cast<double>(block.scales[lane]) * block.values[lane][column % kQuantBlock];
}

}  // namespace

void packed_product(const PackedView& w, const QuantizedRowsView& x, float* y,
                    std::size_t y_stride) {
  std::vector<float> weights(w.cols);
  for (std::size_t row = 0; row < w.rows; ++row) {
    dequantize_packed_row(w, row, weights.data());
    for (std::size_t i = 0; i < x.n; ++i) {
      double sum = 0;
      for (std::size_t k = 0; k < w.cols; ++k) sum += weights[k] * activation(x, i, k);
      y[i * y_stride + row] = static_cast<float>(sum);
    }
  }
}

}  // namespace laconic::reference
