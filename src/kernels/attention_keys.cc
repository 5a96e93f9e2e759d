// SPDX-License-Identifier: Apache-2.0
// Logits and lengths of a head's keys (kernels/attention.h): what rankings ask for.
//
// Logits are a blocked product. Four keys are widened to a panel of f32 that stays in L1 while all
// queries go by, so memory is read once, and a register tile of the panel and two queries makes one
// load do for several products. Each logit has the arrangement of kernels/dot_tile-inl.h: vector v
// of the row goes to accumulator v % 2, both are added, then the lanes, halves first. But where the
// tiles there add up the lanes of one logit after the other, which for short rows costs as much as
// the products, the last steps here are taken for four logits at once.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <new>

#include "kernels/attention.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/attention_keys.cc"
#include "kernels/simd_targets.h"
// Before the per-target headers.
#include "hwy/aligned_allocator.h"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "kernels/lane_sums-inl.h"
#include "kernels/widen-inl.h"

HWY_BEFORE_NAMESPACE();
namespace laconic {
namespace HWY_NAMESPACE {

// Keys of a panel: as many as the logits that one vector of four holds.
inline constexpr std::size_t kPanelRows = 4;

// Queries that share one pass over a panel: with two accumulators for each of four keys that makes
// 16 of 32 registers, or 8 of 16, and leaves room for the operands.
inline constexpr std::size_t kTileQueries = kManyRegisters ? 2 : 1;

inline constexpr std::size_t kSpan = 2 * kLanes;  // one vector for each accumulator

// How far ahead of the widening memory is asked for: with few queries it is one stream, as in
// kernels/dot_tile-inl.h, where 3 KB were the best of 1, 2 and 3.
inline constexpr std::size_t kAheadBytes = 3 * 1024;

// Keys as f32, zeros behind the head's size, the last key again in place of missing ones.
struct Panel {
  float* rows;        // [kPanelRows][width]
  std::size_t width;  // a multiple of kSpan
  std::size_t head_dim;
};

// What one call asks, and where its answers go.
struct LogitArguments {
  const float* q;  // [queries][head_dim]
  std::size_t queries;
  float scale;
  float* logits;  // [queries][stride]
  std::size_t stride;
};

template <typename Format>
HWY_INLINE void fill_panel(const std::uint8_t* keys, std::size_t count, const Panel& panel) {
  const F32 d;
  const std::size_t head_dim = panel.head_dim;
  for (std::size_t r = 0; r < kPanelRows; ++r) {
    const std::uint8_t* from = keys + std::min(r, count - 1) * stored_bytes<Format>(head_dim);
    float* to = panel.rows + r * panel.width;
    std::size_t k = 0;
    for (; k + kLanes <= head_dim; k += kLanes) {
      hwy::Prefetch(from + stored_bytes<Format>(k) + kAheadBytes);
      hn::Store(row_vector<Format>(from, k), d, to + k);
    }
    if constexpr (!Format::kBlocks) {
      if (k < head_dim) {
        hn::Store(load_partial<Format>(from + k * Format::kBytes, head_dim - k), d, to + k);
        k += kLanes;
      }
    }
    for (; k < panel.width; k += kLanes) hn::Store(hn::Zero(d), d, to + k);
  }
}

// The products of one span of the panel's keys with kX queries.
template <std::size_t kX>
HWY_INLINE void add_span(const float* keys, std::size_t width, const float* q, std::size_t q_stride,
                         V (&sum)[kX][kPanelRows][2]) {
  const F32 d;
  for (std::size_t v = 0; v < 2; ++v) {
    V query[kX];
    for (std::size_t i = 0; i < kX; ++i) query[i] = hn::LoadU(d, q + i * q_stride + v * kLanes);
    for (std::size_t r = 0; r < kPanelRows; ++r) {
      const V key = hn::Load(d, keys + r * width + v * kLanes);
      for (std::size_t i = 0; i < kX; ++i) sum[i][r][v] = hn::MulAdd(key, query[i], sum[i][r][v]);
    }
  }
}

#if HWY_TARGET == HWY_SCALAR

// Vectors of one lane: nothing is left to add but the two accumulators.
HWY_INLINE void store_logits(const V (&sum)[kPanelRows][2], float scale, float* to) {
  for (std::size_t r = 0; r < kPanelRows; ++r) {
    to[r] = hn::GetLane(hn::Add(sum[r][0], sum[r][1])) * scale;
  }
}

#else

// The logits of one query with a panel's keys, from its accumulators.
HWY_INLINE void store_logits(const V (&sum)[kPanelRows][2], float scale, float* to) {
  const FourFloats d;
  Four lanes[kPanelRows];
  for (std::size_t r = 0; r < kPanelRows; ++r) {
    lanes[r] = fold(F32(), hn::Add(sum[r][0], sum[r][1]));
  }
  const Four dots = sums_of_lanes(lanes[0], lanes[1], lanes[2], lanes[3]);
  hn::StoreU(hn::Mul(dots, hn::Set(d, scale)), d, to);
}

#endif

// Logits of the panel's first `count` keys for queries from `first` on, kX at a time; gives the
// first query that is left. `at`: where the keys' logits go in a query's list.
template <std::size_t kX>
HWY_NOINLINE std::size_t panel_logits(const Panel& panel, std::size_t count,
                                      const LogitArguments& a, std::size_t first, std::size_t at) {
  const F32 d;
  const std::size_t head_dim = panel.head_dim;
  const std::size_t whole = head_dim / kSpan * kSpan;
  for (; first + kX <= a.queries; first += kX) {
    const float* q = a.q + first * head_dim;
    V sum[kX][kPanelRows][2];
    for (std::size_t i = 0; i < kX; ++i) {
      for (std::size_t r = 0; r < kPanelRows; ++r) sum[i][r][0] = sum[i][r][1] = hn::Zero(d);
    }
    for (std::size_t k = 0; k < whole; k += kSpan) {
      add_span<kX>(panel.rows + k, panel.width, q + k, head_dim, sum);
    }
    if (whole < head_dim) {
      // In memory first, so that the accumulators above keep their registers.
      HWY_ALIGN float tail[kX * kSpan] = {};
      for (std::size_t i = 0; i < kX; ++i) {
        std::copy_n(q + i * head_dim + whole, head_dim - whole, tail + i * kSpan);
      }
      add_span<kX>(panel.rows + whole, panel.width, tail, kSpan, sum);
    }
    for (std::size_t i = 0; i < kX; ++i) {
      float* to = a.logits + (first + i) * a.stride + at;
      if (count == kPanelRows) {
        store_logits(sum[i], a.scale, to);
      } else {
        float some[kPanelRows];
        store_logits(sum[i], a.scale, some);
        std::copy_n(some, count, to);
      }
    }
  }
  return first;
}

template <typename Format>
HWY_INLINE void key_logits_pages(const HeadRowsView& kv, std::size_t begin, std::size_t end,
                                 const Panel& panel, const LogitArguments& a) {
  for (std::size_t row = begin; row < end;) {
    const std::size_t in_page = row % kPageRows;
    const std::size_t count = std::min({kPanelRows, kPageRows - in_page, end - row});
    const auto* page = reinterpret_cast<const std::uint8_t*>(kv.pages[row / kPageRows]);
    fill_panel<Format>(page + in_page * stored_bytes<Format>(kv.head_dim), count, panel);
    const std::size_t done = panel_logits<kTileQueries>(panel, count, a, 0, row - begin);
    panel_logits<1>(panel, count, a, done, row - begin);
    row += count;
  }
}

void key_logits_kernel(const HeadRowsView& kv, std::size_t begin, std::size_t end, const float* q,
                       std::size_t queries, float scale, float* logits) {
  const std::size_t width = (kv.head_dim + kSpan - 1) / kSpan * kSpan;
  const auto memory = hwy::AllocateAligned<float>(kPanelRows * width);
  if (memory == nullptr) throw std::bad_alloc();
  const Panel panel{memory.get(), width, kv.head_dim};
  const LogitArguments arguments{q, queries, scale, logits, end - begin};
  if (kv.type == DType::kF32) {
    key_logits_pages<FormatF32>(kv, begin, end, panel, arguments);
  } else if (kv.type == DType::kF16) {
    key_logits_pages<FormatF16>(kv, begin, end, panel, arguments);
  } else if (kv.type == DType::kQ8_0) {
    key_logits_pages<FormatQ8_0>(kv, begin, end, panel, arguments);
  } else {
    key_logits_pages<FormatBF16>(kv, begin, end, panel, arguments);
  }
}

template <typename Format>
HWY_INLINE void key_lengths_pages(const HeadRowsView& kv, std::size_t begin, std::size_t end,
                                  float* lengths) {
  const F32 d;
  for (std::size_t row = begin; row < end; ++row) {
    const std::uint8_t* key = reinterpret_cast<const std::uint8_t*>(kv.pages[row / kPageRows]) +
                              row % kPageRows * stored_bytes<Format>(kv.head_dim);
    V sum0 = hn::Zero(d);
    V sum1 = hn::Zero(d);
    std::size_t k = 0;
    for (; k + kSpan <= kv.head_dim; k += kSpan) {
      hwy::Prefetch(key + stored_bytes<Format>(k) + kAheadBytes);
      const V a = row_vector<Format>(key, k);
      const V b = row_vector<Format>(key, k + kLanes);
      sum0 = hn::MulAdd(a, a, sum0);
      sum1 = hn::MulAdd(b, b, sum1);
    }
    if constexpr (!Format::kBlocks) {
      for (; k < kv.head_dim; k += kLanes) {
        const V a =
            load_partial<Format>(key + k * Format::kBytes, std::min(kLanes, kv.head_dim - k));
        sum0 = hn::MulAdd(a, a, sum0);
      }
    }
    lengths[row - begin] = std::sqrt(sum_of_lanes(hn::Add(sum0, sum1)));
  }
}

void key_lengths_kernel(const HeadRowsView& kv, std::size_t begin, std::size_t end,
                        float* lengths) {
  if (kv.type == DType::kF32) {
    key_lengths_pages<FormatF32>(kv, begin, end, lengths);
  } else if (kv.type == DType::kF16) {
    key_lengths_pages<FormatF16>(kv, begin, end, lengths);
  } else if (kv.type == DType::kQ8_0) {
    key_lengths_pages<FormatQ8_0>(kv, begin, end, lengths);
  } else {
    key_lengths_pages<FormatBF16>(kv, begin, end, lengths);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace laconic
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace laconic {

HWY_EXPORT(key_logits_kernel);
HWY_EXPORT(key_lengths_kernel);

void key_logits(const HeadRowsView& kv, std::size_t begin, std::size_t end, const float* q,
                std::size_t queries, float scale, float* logits) {
  if (queries == 0 || begin >= end) return;
  HWY_DYNAMIC_DISPATCH(key_logits_kernel)(kv, begin, end, q, queries, scale, logits);
}

void key_lengths(const HeadRowsView& kv, std::size_t begin, std::size_t end, float* lengths) {
  HWY_DYNAMIC_DISPATCH(key_lengths_kernel)(kv, begin, end, lengths);
}

}  // namespace laconic
#endif  // HWY_ONCE
