// SPDX-License-Identifier: Apache-2.0
// Activations as int8 in blocks of 32 along a row, the right-hand side of packed_product.
//
// A block's scale is its largest magnitude / 127; values are x * (127 / magnitude), rounded to
// nearest even. A block with a value that is not finite gets the scale NaN and zeros. Beside the
// values lie the sums that a product with biased weights needs, made once here for all of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/dtype.h"
#include "base/threads.h"

namespace laconic {

// Rows that lie side by side in memory.
inline constexpr std::size_t kRowsAbreast = 4;

// 32 columns of four rows and all that products ask about them: a tile of four activation rows is
// one stream, with one pointer.
struct alignas(64) QuantizedBlock {
  std::int8_t values[kRowsAbreast][kQuantBlock];
  float scales[kRowsAbreast];
  float weighted_sums[kRowsAbreast];  // scale x the sum of the values
  // The sum of the values (of half of them) times minus the bias of a weight type.
  std::int32_t offsets_128[kRowsAbreast];
  std::int32_t offsets_8[kRowsAbreast];
  std::int32_t offsets_32[2][kRowsAbreast];

  void set_scale(std::size_t row, float scale, std::int32_t first_half, std::int32_t second_half) {
    const std::int32_t sum = first_half + second_half;
    scales[row] = scale;
    weighted_sums[row] = scale * static_cast<float>(sum);
    offsets_128[row] = -128 * sum;
    offsets_8[row] = -8 * sum;
    offsets_32[0][row] = -32 * first_half;
    offsets_32[1][row] = -32 * second_half;
  }
};

// What kernels see. Row i is lane i % 4 of the blocks of quad i / 4. Rows that fill up the last
// quad hold anything; products multiply them and drop what comes out.
struct QuantizedRowsView {
  const QuantizedBlock* blocks;  // [ceil(n / 4)][cols / 32]
  std::size_t n, cols;
};

// Reusable scratch: memory grows and never shrinks.
class QuantizedRows {
 public:
  // Room for n rows. PRECONDITION: cols is a multiple of 32.
  void resize(std::size_t n, std::size_t cols);
  std::size_t rows() const { return n_; }
  std::size_t cols() const { return cols_; }
  QuantizedRowsView view() const { return {blocks_.data(), n_, cols_}; }

  // The blocks that hold row i, [cols / 32].
  QuantizedBlock* blocks_of_row(std::size_t i) {
    return blocks_.data() + i / kRowsAbreast * (cols_ / kQuantBlock);
  }

 private:
  std::size_t n_ = 0, cols_ = 0;
  std::vector<QuantizedBlock> blocks_;
};

// out becomes [n][cols].
void quantize_rows(Threads& threads, const float* x /* [n][cols] */, std::size_t n,
                   std::size_t cols, QuantizedRows& out);

// Row i of out alone, which has been resized to hold it.
void quantize_row(const float* x /* [cols] */, QuantizedRows& out, std::size_t i);

// The same of rms_norm(x, weight, eps), bit for bit, without writing the normed row.
void rms_norm_quantize_row(const float* x /* [cols] */, const float* weight /* [cols] */, float eps,
                           QuantizedRows& out, std::size_t i);

// The same of swiglu(gate, up), bit for bit, without writing its rows. Threads share columns where
// there are few rows.
void swiglu_quantize_rows(Threads& threads, const float* gate /* [n][cols] */,
                          const float* up /* [n][cols] */, std::size_t n, std::size_t cols,
                          QuantizedRows& out);

namespace reference {
void quantize_rows(const float* x, std::size_t n, std::size_t cols, QuantizedRows& out);
}  // namespace reference

}  // namespace laconic
