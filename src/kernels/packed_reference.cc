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

template <typename Activation>
void product(const PackedView& w, std::size_t n, float* y, std::size_t y_stride,
             const Activation& activation_at) {
  std::vector<float> weights(w.cols);
  for (std::size_t row = 0; row < w.rows; ++row) {
    dequantize_packed_row(w, row, weights.data());
    for (std::size_t i = 0; i < n; ++i) {
      double sum = 0;
      for (std::size_t k = 0; k < w.cols; ++k) sum += weights[k] * activation_at(i, k);
      y[i * y_stride + row] = static_cast<float>(sum);
    }
  }
}

}  // namespace

void packed_product(const PackedView& w, const QuantizedRowsView& x, float* y,
                    std::size_t y_stride) {
  product(w, x.n, y, y_stride,
          [&](std::size_t row, std::size_t column) { return activation(x, row, column); });
}

void packed_product(const PackedView& w, const float* x, std::size_t n, float* y,
                    std::size_t y_stride) {
  product(w, n, y, y_stride, [&](std::size_t row, std::size_t column) {
    return static_cast<double>(x[row * w.cols + column]);
  });
}

}  // namespace laconic::reference
