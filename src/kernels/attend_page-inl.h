// SPDX-License-Identifier: Apache-2.0
// One page of a head's rows for a few queries: logits, numerators, and what they gather of V.
// Included once per SIMD target.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "kernels/simd_targets.h"

#if defined(LACONIC_KERNELS_ATTEND_PAGE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LACONIC_KERNELS_ATTEND_PAGE_INL_H_
#undef LACONIC_KERNELS_ATTEND_PAGE_INL_H_
#else
#define LACONIC_KERNELS_ATTEND_PAGE_INL_H_
#endif

#include "kernels/attention.h"
#include "kernels/dot_tile-inl.h"
#include "kernels/online_softmax-inl.h"

HWY_BEFORE_NAMESPACE();
namespace laconic {
namespace HWY_NAMESPACE {

// The rows of one page that some queries see.
struct PageRows {
  const std::uint8_t* keys;    // [count][head_dim]
  const std::uint8_t* values;  // [count][head_dim]
  const std::uint8_t* next;    // what is read behind them
  std::size_t first;           // index of the first one among all rows
  std::size_t count;
  std::size_t run;  // whose queries ask the first one
};

// The V rows of a page, and their queries' numerators.
struct ValueRows {
  const std::uint8_t* rows;
  std::size_t stride;  // bytes
  std::size_t count;
  // Memory is asked for so many rows ahead; behind the last row lies `next`, in another page.
  std::size_t ahead;
  const std::uint8_t* next;
  const float* p;       // [kX][kPageRows]
  const float* shrink;  // [kX]
};

// out[i][at, at + kVectors * kLanes) = out * shrink + sum_r p[i][r] V[r], one chain per element.
template <typename Format, std::size_t kX, std::size_t kVectors>
HWY_INLINE void add_values(const ValueRows& a, float* out, std::size_t out_stride, std::size_t at) {
  const F32 d;
  V sum[kX][kVectors];
  for (std::size_t i = 0; i < kX; ++i) {
    for (std::size_t c = 0; c < kVectors; ++c) {
      const float* old = out + i * out_stride + at + c * kLanes;
      sum[i][c] = hn::Mul(hn::LoadU(d, old), hn::Set(d, a.shrink[i]));
    }
  }
  // Whole blocks where a pass is that wide, so that each scale is widened once.
  constexpr bool kWhole = Format::kBlocks && kVectors * kLanes % Format::kSpan == 0;
  constexpr std::size_t kPart = kWhole ? Format::kSpan / kLanes : 1;  // vectors read together
  constexpr std::size_t kWidth = kVectors * kLanes;
  constexpr std::size_t kBytes =
      Format::kBlocks ? (kWidth + Format::kSpan - 1) / Format::kSpan * Format::kSpanBytes
                      : kWidth * Format::kSpanBytes / Format::kSpan;
  const std::size_t offset = stored_bytes<Format>(at);
  const std::size_t border = a.count - std::min(a.count, a.ahead);
  const std::uint8_t* v = a.rows;
  for (std::size_t r = 0; r < a.count; ++r, v += a.stride) {
    const std::uint8_t* ahead =
        (r < border ? v + a.ahead * a.stride : a.next + (r - border) * a.stride) + offset;
    for (std::size_t line = 0; line < kBytes; line += 64) hwy::Prefetch(ahead + line);
    for (std::size_t c = 0; c < kVectors; c += kPart) {
      V value[kPart];
      if constexpr (kWhole) {
        const Format span(v + offset + c / kPart * Format::kSpanBytes);
        for (std::size_t w = 0; w < kPart; ++w) value[w] = span.vector(w);
      } else {
        value[0] = row_vector<Format>(v, at + c * kLanes);
      }
      for (std::size_t w = 0; w < kPart; ++w) {
        for (std::size_t i = 0; i < kX; ++i) {
          sum[i][c + w] = hn::MulAdd(hn::Set(d, a.p[i * kPageRows + r]), value[w], sum[i][c + w]);
        }
      }
    }
  }
  for (std::size_t i = 0; i < kX; ++i) {
    for (std::size_t c = 0; c < kVectors; ++c) {
      hn::StoreU(sum[i][c], d, out + i * out_stride + at + c * kLanes);
    }
  }
}

// The same for the last elements of a head whose size is no multiple of the lanes.
template <typename Format>
HWY_INLINE void add_values_tail(const ValueRows& a, std::size_t i, float* out, std::size_t at,
                                std::size_t elements) {
  const F32 d;
  V sum = hn::Mul(load_partial(out + at, elements), hn::Set(d, a.shrink[i]));
  const std::uint8_t* v = a.rows + at * Format::kBytes;
  for (std::size_t r = 0; r < a.count; ++r, v += a.stride) {
    sum = hn::MulAdd(hn::Set(d, a.p[i * kPageRows + r]), load_partial<Format>(v, elements), sum);
  }
  store_partial(sum, out + at, elements);
}

// One page for kX queries, from `query` on, that all see exactly these rows of it. `weights`: where
// their logits are kept, [queries][rows], or null.
template <typename Format, std::size_t kX>
HWY_NOINLINE void attend_page(const HeadRowsView& kv, const PageRows& page, const AttendQueries& a,
                              std::size_t query, float* weights, const Gathered& to) {
  HWY_ALIGN float p[kX * kPageRows];
  const std::size_t head_dim = kv.head_dim;
  const std::size_t stride = stored_bytes<Format>(head_dim);
  const std::size_t count = page.count;
  DotArguments dots{page.keys, stride, head_dim, nullptr, head_dim, p, kPageRows};
  for (std::size_t begin = 0, run = page.run; begin < count; ++run) {
    const std::size_t end = std::min(count, a.run_ends[run] - page.first);
    dots.x = a.q + (run * a.queries + query) * head_dim;
    dot_rows<Format, kX>(dots, begin, end, 0);
    begin = end;
  }
  float shrink[kX];
  for (std::size_t i = 0; i < kX; ++i) {
    if (weights != nullptr) {
      note_logits(p + i * kPageRows, count, a.scale, weights + (query + i) * kv.rows + page.first);
    }
    shrink[i] = update_softmax(p + i * kPageRows, count, a.scale, to.largest + query + i,
                               to.total + query + i);
  }
  const std::size_t ahead = std::max<std::size_t>(1, kStreamPrefetchBytes / stride);
  const ValueRows values{page.values, stride, count, ahead, page.next, p, shrink};
  float* out = to.sum + query * head_dim;
  // As many vectors of a row as accumulators allow: a row is then read in one go.
  constexpr std::size_t kWide = (kManyRegisters ? 16 : 8) / (kX == 1 ? 2 : kX == 3 ? 4 : kX);
  std::size_t at = 0;
  for (; at + kWide * kLanes <= head_dim; at += kWide * kLanes) {
    add_values<Format, kX, kWide>(values, out, head_dim, at);
  }
  for (; at + 2 * kLanes <= head_dim; at += 2 * kLanes) {
    add_values<Format, kX, 2>(values, out, head_dim, at);
  }
  for (; at + kLanes <= head_dim; at += kLanes) {
    add_values<Format, kX, 1>(values, out, head_dim, at);
  }
  if constexpr (!Format::kBlocks) {
    if (at < head_dim) {
      for (std::size_t i = 0; i < kX; ++i) {
        add_values_tail<Format>(values, i, out + i * head_dim, at, head_dim - at);
      }
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace laconic
HWY_AFTER_NAMESPACE();

#endif  // per target
