// SPDX-License-Identifier: Apache-2.0
// A small matrix product that stays in registers: a tile of rows x vectors is summed over the whole
// depth before it is stored. Both operands sit in the L1 or L2 cache; the caller sees to that.
// Included by cpu_*.cc alone.
#pragma once

#include "train/simd-inl.h"

namespace laconic::train {
namespace {

// c [rows][ldc], b [depth][ldb]; a(row, k) = data[row * row_step + k * depth_step].
struct ProductOperand {
  const float* data;
  std::size_t row_step, depth_step;
};

// Rows of a tile `vectors` wide: accumulators, one row of b and one broadcast fill the registers.
constexpr int tile_rows(int vectors) {
  return (kRegisters == 32 ? 24 : 12) / (vectors == 1 ? 2 : vectors);
}

template <int kRows, int kVectors, bool kAdd>
LACONIC_INLINE void multiply_tile(ProductOperand a, const float* b, std::size_t ldb,
                                  std::size_t depth, float* c, std::size_t ldc) {
  Floats sum[kRows][kVectors];
  for (int r = 0; r < kRows; ++r)
    for (int v = 0; v < kVectors; ++v)
      sum[r][v] =
          kAdd ? load(c + static_cast<std::size_t>(r) * ldc + static_cast<std::size_t>(v) * kLanes)
               : Floats{};
  for (std::size_t k = 0; k < depth; ++k) {
    Floats row[kVectors];
    for (int v = 0; v < kVectors; ++v)
      row[v] = load(b + k * ldb + static_cast<std::size_t>(v) * kLanes);
    for (int r = 0; r < kRows; ++r) {
      const float x = a.data[static_cast<std::size_t>(r) * a.row_step + k * a.depth_step];
      for (int v = 0; v < kVectors; ++v) sum[r][v] += x * row[v];
    }
  }
  for (int r = 0; r < kRows; ++r)
    for (int v = 0; v < kVectors; ++v)
      store(c + static_cast<std::size_t>(r) * ldc + static_cast<std::size_t>(v) * kLanes,
            sum[r][v]);
}

// The tile of `rows` rows among those of 1 .. sizeof...(kLess).
template <int kVectors, bool kAdd, int... kLess>
LACONIC_INLINE void multiply_some(int rows, ProductOperand a, const float* b, std::size_t ldb,
                                  std::size_t depth, float* c, std::size_t ldc,
                                  std::integer_sequence<int, kLess...>) {
  static_cast<void>(((rows == kLess + 1 &&
                      (multiply_tile<kLess + 1, kVectors, kAdd>(a, b, ldb, depth, c, ldc), true)) ||
                     ...));
}

// c[row][.] = (kAdd: +=) sum over k < depth of a(row, k) * b[k][.], kVectors vectors wide.
template <int kVectors, bool kAdd>
void multiply(std::size_t rows, ProductOperand a, const float* b, std::size_t ldb,
              std::size_t depth, float* c, std::size_t ldc) {
  constexpr std::size_t kMost = tile_rows(kVectors);
  while (rows > 0) {
    // What is more than one tile but less than two is halved: a thin tile waits for its sums.
    const std::size_t now = rows <= kMost ? rows : rows < 2 * kMost ? (rows + 1) / 2 : kMost;
    multiply_some<kVectors, kAdd>(static_cast<int>(now), a, b, ldb, depth, c, ldc,
                                  std::make_integer_sequence<int, tile_rows(kVectors)>());
    a.data += now * a.row_step;
    c += now * ldc;
    rows -= now;
  }
}

// The same for any number of vectors.
template <bool kAdd>
void multiply_wide(std::size_t vectors, std::size_t rows, ProductOperand a, const float* b,
                   std::size_t ldb, std::size_t depth, float* c, std::size_t ldc) {
  constexpr std::size_t kMost = kRegisters == 32 ? 4 : 2;
  for (; vectors >= kMost; vectors -= kMost, b += kMost * kLanes, c += kMost * kLanes)
    multiply<kMost, kAdd>(rows, a, b, ldb, depth, c, ldc);
  if (vectors == 3) multiply<3, kAdd>(rows, a, b, ldb, depth, c, ldc);
  if (vectors == 2) multiply<2, kAdd>(rows, a, b, ldb, depth, c, ldc);
  if (vectors == 1) multiply<1, kAdd>(rows, a, b, ldb, depth, c, ldc);
}

}  // namespace
}  // namespace laconic::train
