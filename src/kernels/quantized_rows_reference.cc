// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "kernels/quantized_rows.h"

namespace laconic::reference {
namespace {

void quantize_block(const float* x, QuantizedBlock& out, std::size_t row) {
  std::int8_t* values = out.values[row];
  float magnitude = 0;
  bool finite = true;
  for (std::size_t i = 0; i < kQuantBlock; ++i) {
    finite = finite && std::isfinite(x[i]);
    magnitude = std::max(magnitude, std::fabs(x[i]));
  }
  const float inverse = 127.0f / magnitude;
  for (std::size_t i = 0; i < kQuantBlock; ++i) {
    const bool lost = !finite || !std::isfinite(inverse);
    values[i] = lost ? std::int8_t{0} : static_cast<std::int8_t>(std::nearbyint(x[i] * inverse));
  }
  const std::int32_t first = std::accumulate(values, values + kQuantBlock / 2, 0);
  const std::int32_t second = std::accumulate(values + kQuantBlock / 2, values + kQuantBlock, 0);
  const float scale = finite ? magnitude / 127.0f : std::numeric_limits<float>::quiet_NaN();
  out.set_scale(row, scale, first, second);
}

}  // namespace

void quantize_rows(const float* x, std::size_t n, std::size_t cols, QuantizedRows& out) {
  out.resize(n, cols);
  for (std::size_t i = 0; i < n; ++i) {
    QuantizedBlock* blocks = out.blocks_of_row(i);
    for (std::size_t block = 0; block < cols / kQuantBlock; ++block) {
      quantize_block(x + i * cols + block * kQuantBlock, blocks[block], i % kRowsAbreast);
    }
  }
}

}  // namespace laconic::reference
