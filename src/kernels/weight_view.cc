// SPDX-License-Identifier: Apache-2.0
#include "kernels/weight_view.h"

#include "kernels/quantize.h"

namespace laconic {

void dequantize_row(const WeightView& w, std::size_t row, float* out) {
  dequantize(w.type, w.data + row * row_bytes(w.type, w.cols), w.cols, out);
}

namespace reference {

void dequantize_row(const WeightView& w, std::size_t row, float* out) {
  reference::dequantize(w.type, w.data + row * row_bytes(w.type, w.cols), w.cols, out);
}

}  // namespace reference
}  // namespace laconic
