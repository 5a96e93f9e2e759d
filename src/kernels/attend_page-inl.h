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

#include "kernels/attend_logits-inl.h"
#include "kernels/attend_values-inl.h"
#include "kernels/attention.h"
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

// Turns a query's dot products p with the page's first `count` rows into numerators, and gives the
// factor by which what it gathered before shrinks. `weights` as for attend_page.
HWY_INLINE float update_page(const HeadRowsView& kv, const PageRows& page, const AttendQueries& a,
                             std::size_t query, std::size_t count, float* p, float* weights,
                             const Gathered& to) {
  if (weights != nullptr) {
    note_logits(p, count, a.scale, weights + query * kv.rows + page.first);
  }
  return update_softmax(p, count, a.scale, to.largest + query, to.total + query);
}

// How far ahead of their use rows are asked for. The distance bridges the softmax too, in which
// nothing else is; the more queries, the longer that takes. Measured from memory on Zen 5, f16 and
// q8_0, one thread: 3, 8 and 16 KB gave one query 24, 29 and 20 GB/s, and six 13, 18 and 19.
template <std::size_t kX>
inline constexpr std::size_t kPageAheadBytes = (kX <= 2 ? 8 : 16) * 1024;

// The same for keys: no further than their values.
template <std::size_t kX>
HWY_INLINE std::size_t bytes_ahead(const PageRows& page) {
  return std::min(kPageAheadBytes<kX>, static_cast<std::size_t>(page.values - page.keys));
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
  LogitArguments logits{page.keys, stride, head_dim, nullptr, p, kPageRows, bytes_ahead<kX>(page)};
  for (std::size_t begin = 0, run = page.run; begin < count; ++run) {
    const std::size_t end = std::min(count, a.run_ends[run] - page.first);
    logits.q = a.q + (run * a.queries + query) * head_dim;
    dot_rows<Format, From::kMemory, kX>(logits, begin, end);
    begin = end;
  }
  float shrink[kX];
  for (std::size_t i = 0; i < kX; ++i) {
    shrink[i] = update_page(kv, page, a, query + i, count, p + i * kPageRows, weights, to);
  }
  const std::size_t ahead = std::min(count, std::max<std::size_t>(1, kPageAheadBytes<kX> / stride));
  const ValueRows values{page.values, stride, count, ahead, page.next, p, shrink};
  add_value_rows<Format, From::kMemory, kX>(values, head_dim, to.sum + query * head_dim, head_dim);
}

}  // namespace HWY_NAMESPACE
}  // namespace laconic
HWY_AFTER_NAMESPACE();

#endif  // per target
