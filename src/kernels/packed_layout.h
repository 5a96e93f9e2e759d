// SPDX-License-Identifier: Apache-2.0
// Where the bytes of a packed matrix are.
//
// A group is 16 rows, the last one filled up with zeros.
//
// Of f32, f16 and bf16, a block is two neighbouring columns of a group, the last one filled up with
// a zero:
//
//   f32         2 lines of 64 bytes, one for each column: [row]
//   f16         a line: [column][row]
//   bf16        a line: [row][column], so that one operation widens either column of all rows
//
// Of the other types, a block is 32 columns of a group: four neighbouring columns are a quad, and a
// line holds for each row a byte for each column of a quad, [row][4]. Weights are non-negative,
// with their type's bias added:
//
//   q8_0        8 lines: line j is quad j, bias 128
//   q4_0        4 lines: line j holds quad 2j in the low nibbles, quad 2j+1 in the high; bias 8
//   q4_k        the same without a bias
//   q5_k        and a fifth line: bit j of a byte is the fifth bit of quad j
//   q6_k        and two more lines: bits 2j, 2j+1 of line h are the upper bits of quad 4h+j, bias
//   32
//
// Scales are a stream of their own, [row] within each unit:
//
//   q8_0, q4_0  a block: f16 [16]
//   q4_k, q5_k  8 blocks: f16 scale [16], f16 minimum [16], u8 scales [8][16], u8 minima [8][16]
//   q6_k        8 blocks: f16 scale [16], s8 scales of half blocks [16][16]
#pragma once

#include <cstddef>

#include "base/dtype.h"
#include "kernels/packed.h"

namespace laconic {

inline constexpr std::size_t kQuadsPerBlock = kQuantBlock / 4;
inline constexpr std::size_t kLineBytes = 64;

// How far ahead of the products memory is asked for. Twelve activation rows take about 60 cycles
// for a block of 512 bytes, so that the latency of memory (some 400 cycles) is 4 KB and more; the
// 3 KB made 12 rows 1.4 times slower, from 16 KB on nothing is gained (Zen 5).
// Only for the first activation rows: the others find the weights in the cache.
inline constexpr std::size_t kLookAheadBytes = 8 * 1024;

// Weights that stay in the cache while the activation rows go by: half of a 512 KiB L2.
inline constexpr std::size_t kChunkBytes = 256 * 1024;

// Places in a block's weights and in a unit of scales.
inline constexpr std::size_t kUpperBitsAt = 4 * kLineBytes;
inline constexpr std::size_t kKPackedMinimumAt = 2 * kPackedRows;
inline constexpr std::size_t kKPackedScalesAt = 4 * kPackedRows;
inline constexpr std::size_t kKPackedMinimaAt = 12 * kPackedRows;
inline constexpr std::size_t kQ6KPackedScalesAt = 2 * kPackedRows;

struct PackedLayout {
  std::size_t block_columns;
  std::size_t block_bytes;  // of weights, for a group
  std::size_t unit_blocks;  // blocks whose scales lie together
  std::size_t unit_bytes;   // of their scales, for a group
};

constexpr PackedLayout packed_layout(DType type) {
  constexpr std::size_t kHalves = kPackedRows * 2;  // an f16 for each row
  switch (type) {
    case DType::kF32:
      return {2, 2 * kLineBytes, 1, 0};
    case DType::kF16:
    case DType::kBF16:
      return {2, kLineBytes, 1, 0};
    case DType::kQ8_0:
      return {kQuantBlock, 8 * kLineBytes, 1, kHalves};
    case DType::kQ4_0:
      return {kQuantBlock, 4 * kLineBytes, 1, kHalves};
    case DType::kQ4_K:
      return {kQuantBlock, 4 * kLineBytes, 8, 2 * kHalves + 2 * 8 * kPackedRows};
    case DType::kQ5_K:
      return {kQuantBlock, 5 * kLineBytes, 8, 2 * kHalves + 2 * 8 * kPackedRows};
    case DType::kQ6_K:
      return {kQuantBlock, 6 * kLineBytes, 8, kHalves + 16 * kPackedRows};
  }
  return {1, 0, 1, 0};
}

// A group of a matrix of so many columns.
struct PackedGroup {
  std::size_t blocks;
  std::size_t weights, scales;  // bytes
};

constexpr PackedGroup packed_group(DType type, std::size_t cols) {
  const PackedLayout layout = packed_layout(type);
  const std::size_t blocks = (cols + layout.block_columns - 1) / layout.block_columns;
  return {blocks, blocks * layout.block_bytes, blocks / layout.unit_blocks * layout.unit_bytes};
}

constexpr std::size_t packed_groups(std::size_t rows) {
  return (rows + kPackedRows - 1) / kPackedRows;
}

}  // namespace laconic
