// SPDX-License-Identifier: Apache-2.0
// Dot products of stored rows with a few f32 vectors, in register tiles. Included once per SIMD
// target.
//
// Every dot product has one arrangement, whatever the tile: vector v of the row goes to accumulator
// v % 2, both are added, then the lanes, halves first. A tile only decides how many dot products
// run side by side, so no result depends on how many rows or queries a call has.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "kernels/simd_targets.h"

#if defined(LACONIC_KERNELS_ATTEND_LOGITS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LACONIC_KERNELS_ATTEND_LOGITS_INL_H_
#undef LACONIC_KERNELS_ATTEND_LOGITS_INL_H_
#else
#define LACONIC_KERNELS_ATTEND_LOGITS_INL_H_
#endif

#include "kernels/lane_sums-inl.h"
#include "kernels/widen-inl.h"

HWY_BEFORE_NAMESPACE();
namespace laconic {
namespace HWY_NAMESPACE {

// Where rows come from: asking ahead for what is in L1 only costs.
enum class From { kMemory, kL1 };

struct LogitArguments {
  const std::uint8_t* keys;  // [row][stride]
  std::size_t stride;        // bytes
  std::size_t head_dim;
  const float* q;  // [query][head_dim]
  float* out;      // [query][out_stride], one value per row
  std::size_t out_stride;
  std::size_t ahead = 0;  // memory is asked for so many bytes before its use
};

// The first `count` lanes; mostly all of them.
template <typename Format>
HWY_INLINE V load_some(const std::uint8_t* p, std::size_t count) {
  return count == kLanes ? Format::load(p) : load_partial<Format>(p, count);
}

HWY_INLINE V load_some(const float* p, std::size_t count) {
  return count == kLanes ? hn::LoadU(F32(), p) : load_partial(p, count);
}

// sum += rows' vectors * queries' vectors. A query is loaded once for all rows: one that lies
// across two cache lines costs two loads.
template <std::size_t kRows, std::size_t kX, class QueryVector>
HWY_INLINE void add_products(const V (&row)[kRows], QueryVector query, V (&sum)[kRows][kX]) {
  for (std::size_t i = 0; i < kX; ++i) {
    const V q = query(i);
    for (std::size_t r = 0; r < kRows; ++r) sum[r][i] = hn::MulAdd(row[r], q, sum[r][i]);
  }
}

// Products of some rows with kX queries: both accumulators, added.
template <typename Format, From kFrom, std::size_t kRows, std::size_t kX>
HWY_INLINE void dot_lanes(const LogitArguments& a, const std::uint8_t* const* rows,
                          V (&out)[kRows][kX]) {
  const F32 d;
  V sum[2][kRows][kX];
  for (std::size_t r = 0; r < kRows; ++r) {
    for (std::size_t i = 0; i < kX; ++i) sum[0][r][i] = sum[1][r][i] = hn::Zero(d);
  }
  const float* q = a.q;
  std::size_t k = 0;
  std::size_t offset = 0;  // bytes of k elements
  for (; k + Format::kSpan <= a.head_dim; k += Format::kSpan, offset += Format::kSpanBytes) {
    if constexpr (kFrom == From::kMemory) {
      for (std::size_t r = 0; r < kRows; ++r) {
        for (std::size_t line = 0; line < Format::kSpanBytes; line += 64) {
          hwy::Prefetch(rows[r] + offset + a.ahead + line);
        }
      }
    }
    for (std::size_t v = 0; v < Format::kSpan / kLanes; ++v) {
      V row[kRows];
      for (std::size_t r = 0; r < kRows; ++r) row[r] = Format(rows[r] + offset).vector(v);
      const float* at = q + k + v * kLanes;
      add_products(
          row, [&](std::size_t i) HWY_ATTR { return hn::LoadU(d, at + i * a.head_dim); },
          sum[v % 2]);
    }
  }
  if constexpr (!Format::kBlocks) {
    // Accumulators are named by constants, or they would live in memory.
    const auto add = [&](V(&to)[kRows][kX]) HWY_ATTR {
      const std::size_t count = std::min(kLanes, a.head_dim - k);
      V row[kRows];
      for (std::size_t r = 0; r < kRows; ++r) {
        row[r] = load_some<Format>(rows[r] + k * Format::kBytes, count);
      }
      add_products(
          row, [&](std::size_t i) HWY_ATTR { return load_some(q + i * a.head_dim + k, count); },
          to);
      k += count;
    };
    if (k < a.head_dim) add(sum[0]);
    if (k < a.head_dim) add(sum[1]);
  }
  for (std::size_t r = 0; r < kRows; ++r) {
    for (std::size_t i = 0; i < kX; ++i) out[r][i] = hn::Add(sum[0][r][i], sum[1][r][i]);
  }
}

// FMA latency times throughput is 8 chains on current x86 cores, and a loaded operand should serve
// several products: up to 24 accumulators, or 12 of 16 registers, leave room for the operands.
template <std::size_t kX>
inline constexpr std::size_t kTileRows = 8 * kX <= (kManyRegisters ? 24u : 12u)   ? 4
                                         : 4 * kX <= (kManyRegisters ? 24u : 12u) ? 2
                                                                                  : 1;

// The sums of rows from kRow on, tile by tile. No loop: the sums then stay in registers.
template <typename Format, From kFrom, std::size_t kRow, std::size_t kX>
HWY_INLINE void add_tiles(const LogitArguments& a, const std::uint8_t* const (&rows)[kSumRows],
                          LaneSums<kX>& sums) {
  constexpr std::size_t kRows = kTileRows<kX>;
  V lanes[kRows][kX];
  dot_lanes<Format, kFrom, kRows, kX>(a, rows + kRow, lanes);
  for (std::size_t i = 0; i < kRows; ++i) sums.set(kRow + i, lanes[i]);
  if constexpr (kRow + kRows < kSumRows) add_tiles<Format, kFrom, kRow + kRows>(a, rows, sums);
}

// Dot products of rows [begin, end) with kX queries. A function of its own, so that each tile is
// compiled once per target and file.
template <typename Format, From kFrom, std::size_t kX>
HWY_NOINLINE void dot_rows(const LogitArguments& from, std::size_t begin, std::size_t end) {
  const LogitArguments a = from;  // in registers: nothing that is stored can be part of it
  const std::uint8_t* next = a.keys + begin * a.stride;
  if constexpr (kX == 1) {  // one stream, a row at a time
    for (std::size_t row = begin; row < end; ++row, next += a.stride) {
      V lanes[1][1];
      dot_lanes<Format, kFrom, 1, 1>(a, &next, lanes);
      a.out[row] = lanes_sum(lanes[0][0]);
    }
  } else {
    for (std::size_t row = begin; row < end; row += kSumRows) {
      const std::size_t count = std::min(kSumRows, end - row);
      // The last row again in place of missing ones.
      const std::uint8_t* rows[kSumRows];
      for (std::size_t r = 0; r < kSumRows; ++r) {
        rows[r] = next;
        if (r + 1 < count) next += a.stride;
      }
      next += a.stride;
      LaneSums<kX> sums;
      add_tiles<Format, kFrom, 0>(a, rows, sums);
      sums.store(a.out + row, a.out_stride, count);
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace laconic
HWY_AFTER_NAMESPACE();

#endif  // per target
