// SPDX-License-Identifier: Apache-2.0
// Dot products of stored rows with f32 vectors, in register tiles. Included once per SIMD target.
//
// Every dot product has one arrangement, whatever the tile: vector v of the row goes to accumulator
// v % 2, both are added, then the lanes. A tile only decides how many dot products run side by
// side, so no result depends on how many rows or vectors a call has.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "kernels/simd_targets.h"

#if defined(LACONIC_KERNELS_DOT_TILE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LACONIC_KERNELS_DOT_TILE_INL_H_
#undef LACONIC_KERNELS_DOT_TILE_INL_H_
#else
#define LACONIC_KERNELS_DOT_TILE_INL_H_
#endif

#include "kernels/lane_sums-inl.h"
#include "kernels/widen-inl.h"

HWY_BEFORE_NAMESPACE();
namespace laconic {
namespace HWY_NAMESPACE {

// Vectors x that share one pass over the rows. FMA latency times throughput is 8 chains on current
// x86 cores; 16 accumulators (8 with 16 registers) leave room for the operands.
inline constexpr std::size_t kTileVectors = kManyRegisters ? 4 : 2;

// How far ahead of the multiplication memory is asked for. A core's share of the bandwidth times
// the latency of memory is 20 GB/s x 100 ns = 2 KB. The rows of a tile lie one after another, so
// asking for the next tile's bytes, or for more where that is little, keeps one sequential stream
// going across short rows, which the CPU's own prefetchers cannot; for long rows the next tile is
// too far away to stay in L1, and each row is its own stream.
inline constexpr std::size_t kFarTileBytes = 16 * 1024;
inline constexpr std::size_t kPrefetchBytes = 1024;

// One vector takes one row at a time: the rows then are a single sequential stream. Measured from
// memory on Zen 5, q8_0, two threads: 26-38 GB/s with tiles of four rows, 36-55 GB/s so; distances
// of 1, 2 and 3 KB gave 25-48, 28-50 and 36-55.
inline constexpr std::size_t kStreamPrefetchBytes = 3 * 1024;

struct DotArguments {
  const std::uint8_t* rows;  // [row][row_stride]
  std::size_t row_stride;    // bytes
  std::size_t cols;
  const float* x;  // [vector][x_stride]
  std::size_t x_stride;
  float* out;  // [vector][out_stride], one value per row
  std::size_t out_stride;
};

// kRows x kX dot products: rows from `row`, vectors from `first`.
template <typename Format, std::size_t kRows, std::size_t kX>
HWY_INLINE void dot_tile(const DotArguments& a, std::size_t row, std::size_t first) {
  const F32 d;
  const std::uint8_t* w = a.rows + row * a.row_stride;
  const float* x = a.x + first * a.x_stride;
  const std::size_t tile_bytes = kRows * a.row_stride;
  const std::size_t ahead = kRows == 1 && kX == 1 ? kStreamPrefetchBytes
                            : tile_bytes <= kFarTileBytes
                                ? std::max(tile_bytes, kStreamPrefetchBytes)
                                : kPrefetchBytes;
  V sum[kRows][kX][2];
  for (std::size_t r = 0; r < kRows; ++r) {
    for (std::size_t i = 0; i < kX; ++i) sum[r][i][0] = sum[r][i][1] = hn::Zero(d);
  }
  std::size_t k = 0;
  std::size_t offset = 0;  // bytes of k elements
  for (; k + Format::kSpan <= a.cols; k += Format::kSpan, offset += Format::kSpanBytes) {
    for (std::size_t r = 0; r < kRows; ++r) {
      const std::uint8_t* p = w + r * a.row_stride + offset;
      for (std::size_t line = 0; line < Format::kSpanBytes; line += 64) {
        hwy::Prefetch(p + ahead + line);
      }
      const Format span(p);
      for (std::size_t v = 0; v < Format::kSpan / kLanes; v += 2) {
        const V w0 = span.vector(v);
        const V w1 = span.vector(v + 1);
        const float* at = x + k + v * kLanes;
        for (std::size_t i = 0; i < kX; ++i) {
          sum[r][i][0] = hn::MulAdd(w0, hn::LoadU(d, at + i * a.x_stride), sum[r][i][0]);
          sum[r][i][1] = hn::MulAdd(w1, hn::LoadU(d, at + i * a.x_stride + kLanes), sum[r][i][1]);
        }
      }
    }
  }
  if constexpr (!Format::kBlocks) {
    for (std::size_t lane = 0; k < a.cols; ++lane) {
      const std::size_t count = std::min(kLanes, a.cols - k);
      for (std::size_t r = 0; r < kRows; ++r) {
        const V tail = load_partial<Format>(w + r * a.row_stride + k * Format::kBytes, count);
        for (std::size_t i = 0; i < kX; ++i) {
          sum[r][i][lane] =
              hn::MulAdd(tail, load_partial(x + i * a.x_stride + k, count), sum[r][i][lane]);
        }
      }
      k += count;
    }
  }
  if constexpr (kRows == kSumRows) {
    LaneSums<kX> sums;
    for (std::size_t r = 0; r < kRows; ++r) {
      V lanes[kX];
      for (std::size_t i = 0; i < kX; ++i) lanes[i] = hn::Add(sum[r][i][0], sum[r][i][1]);
      sums.set(r, lanes);
    }
    sums.store(a.out + first * a.out_stride + row, a.out_stride, kRows);
  } else {
    for (std::size_t i = 0; i < kX; ++i) {
      float* out = a.out + (first + i) * a.out_stride + row;
      for (std::size_t r = 0; r < kRows; ++r) {
        out[r] = sum_of_lanes(hn::Add(sum[r][i][0], sum[r][i][1]));
      }
    }
  }
}

// A function of its own, so that each tile is compiled once per target and file.
template <typename Format, std::size_t kX>
HWY_NOINLINE void dot_rows(const DotArguments& a, std::size_t begin, std::size_t end,
                           std::size_t first) {
  constexpr std::size_t kRows = kX == 1 ? 1 : kX * 4 <= (kManyRegisters ? 8u : 4u) ? 4 : 2;
  std::size_t row = begin;
  for (; row + kRows <= end; row += kRows) dot_tile<Format, kRows, kX>(a, row, first);
  for (; row < end; ++row) dot_tile<Format, 1, kX>(a, row, first);
}

// All dot products of rows [begin, end) with `count` vectors. Rows are taken in groups that stay in
// the cache while the vectors go by, so memory is read once.
template <typename Format>
HWY_INLINE void dot_block(const DotArguments& a, std::size_t begin, std::size_t end,
                          std::size_t count) {
  constexpr std::size_t kGroupBytes = 32 * 1024;  // of the 32 to 48 KiB of L1
  const std::size_t group =
      count <= kTileVectors
          ? end - begin
          : std::max<std::size_t>(4, kGroupBytes / std::max<std::size_t>(a.row_stride, 1));
  for (std::size_t row = begin; row < end; row += group) {
    const std::size_t stop = std::min(end, row + group);
    std::size_t first = 0;
    for (; first + kTileVectors <= count; first += kTileVectors) {
      dot_rows<Format, kTileVectors>(a, row, stop, first);
    }
    if constexpr (kTileVectors > 2) {
      if (count - first == 3) dot_rows<Format, 3>(a, row, stop, first);
      if (count - first == 2) dot_rows<Format, 2>(a, row, stop, first);
    }
    if (count - first == 1) dot_rows<Format, 1>(a, row, stop, first);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace laconic
HWY_AFTER_NAMESPACE();

#endif  // per target
