// SPDX-License-Identifier: Apache-2.0
#include <vector>

#include "kernels/linear.h"
#include "kernels/quantize.h"

namespace laconic {

void dequantize_row(const WeightView& w, std::size_t row, float* out) {
  dequantize(w.type, w.data + row * row_bytes(w.type, w.cols), w.cols, out);
}

namespace reference {

void linear(const WeightView& w, const float* x, std::size_t n, float* y) {
  std::vector<float> weights(w.cols);
  for (std::size_t row = 0; row < w.rows; ++row) {
    reference::dequantize_row(w, row, weights.data());
    for (std::size_t i = 0; i < n; ++i) {
      double sum = 0;
      for (std::size_t k = 0; k < w.cols; ++k) {
        sum += static_cast<double>(weights[k]) * static_cast<double>(x[i * w.cols + k]);
      }
      y[i * w.rows + row] = static_cast<float>(sum);
    }
  }
}

void dequantize_row(const WeightView& w, std::size_t row, float* out) {
  reference::dequantize(w.type, w.data + row * row_bytes(w.type, w.cols), w.cols, out);
}

}  // namespace reference
}  // namespace laconic
