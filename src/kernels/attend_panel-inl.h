// SPDX-License-Identifier: Apache-2.0
// One page of a head's rows for many queries. Included once per SIMD target.
//
// Rows are widened to panels of f32 that stay in L1 while all queries go by, a tile of them at a
// time. Widening is exact, so the result is that of kernels/attend_page-inl.h, bit for bit.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "kernels/simd_targets.h"

#if defined(LACONIC_KERNELS_ATTEND_PANEL_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LACONIC_KERNELS_ATTEND_PANEL_INL_H_
#undef LACONIC_KERNELS_ATTEND_PANEL_INL_H_
#else
#define LACONIC_KERNELS_ATTEND_PANEL_INL_H_
#endif

#include "kernels/attend_page-inl.h"
#include "kernels/key_panel-inl.h"

HWY_BEFORE_NAMESPACE();
namespace laconic {
namespace HWY_NAMESPACE {

// Queries that go by one panel: their numerators of a page are 8 KiB.
inline constexpr std::size_t kPanelQueries = 32;

// Columns of V in a panel: kPageRows rows of them are 16 KiB.
inline constexpr std::size_t kPanelColumns = kPanelFloats / kPageRows;

// Queries that gather V in one tile.
inline constexpr std::size_t kValueQueries = 4;

// Whether a panel holds at least the rows of one tile.
HWY_INLINE bool fits_panel(std::size_t head_dim) {
  return kSumRows * panel_width(head_dim) <= kPanelFloats;
}

// p[i][r] = q[i] . K[r] for all rows of the page.
template <typename Format>
HWY_INLINE void panel_logits(const HeadRowsView& kv, const PageRows& page, const AttendQueries& a,
                             std::size_t query, std::size_t queries, float* panel, float* p) {
  const std::size_t stride = stored_bytes<Format>(kv.head_dim);
  const std::size_t rows = panel_rows(kv.head_dim);
  const std::size_t ahead = bytes_ahead<kPanelQueries>(page);
  std::size_t run = page.run;
  for (std::size_t begin = 0; begin < page.count;) {
    while (a.run_ends[run] <= page.first + begin) ++run;
    const std::size_t end = std::min({page.count, a.run_ends[run] - page.first, begin + rows});
    widen_keys<Format>(page.keys + begin * stride, end - begin, kv.head_dim, ahead, panel);
    const float* q = a.q + (run * a.queries + query) * kv.head_dim;
    dot_panel(panel, end - begin, kv.head_dim, q, queries, p + begin, kPageRows);
    begin = end;
  }
}

// Columns [at, at + columns) of the page's V rows to panel [count][kPanelColumns].
template <typename Format>
HWY_INLINE void widen_values(const PageRows& page, std::size_t stride, std::size_t at,
                             std::size_t columns, float* panel) {
  const F32 d;
  const std::size_t offset = stored_bytes<Format>(at);
  const std::size_t bytes = stored_bytes<Format>(columns);
  for (std::size_t r = 0; r < page.count; ++r) {
    const std::uint8_t* from = page.values + r * stride;
    float* to = panel + r * kPanelColumns;
    for (std::size_t line = 0; line < bytes; line += 64) {
      hwy::Prefetch(page.next + r * stride + offset + line);
    }
    std::size_t k = 0;
    for (; k + kLanes <= columns; k += kLanes) {
      hn::Store(row_vector<Format>(from, at + k), d, to + k);
    }
    if constexpr (!Format::kBlocks) {
      if (k < columns) {
        hn::Store(load_partial<Format>(from + (at + k) * Format::kBytes, columns - k), d, to + k);
      }
    }
  }
}

// out[i][0, columns) of kX queries that see counts[i] rows of the panel each.
template <std::size_t kX>
HWY_INLINE void add_panel_tile(const float* panel, const float* p, const float* shrink,
                               const std::size_t* counts, std::size_t columns, float* out,
                               std::size_t out_stride) {
  const auto* rows = reinterpret_cast<const std::uint8_t*>(panel);
  constexpr std::size_t kStride = kPanelColumns * sizeof(float);
  const std::size_t shared = *std::min_element(counts, counts + kX);
  const ValueRows all{rows, kStride, shared, 0, nullptr, p, shrink};
  add_value_rows<FormatF32, From::kL1, kX>(all, columns, out, out_stride);
  // What a query sees beyond its neighbours goes on in the same chains.
  const float same = 1;
  for (std::size_t i = 0; i < kX; ++i) {
    if (counts[i] == shared) continue;
    const ValueRows rest{rows + shared * kStride,    kStride, counts[i] - shared, 0, nullptr,
                         p + i * kPageRows + shared, &same};
    add_value_rows<FormatF32, From::kL1, 1>(rest, columns, out + i * out_stride, out_stride);
  }
}

// One page for queries [query, query + queries), at most kPanelQueries, each of which sees at least
// one row of it; page.count is the most that one sees.
template <typename Format>
HWY_NOINLINE void attend_panels(const HeadRowsView& kv, const PageRows& page,
                                const AttendQueries& a, std::size_t query, std::size_t queries,
                                const std::size_t* counts, float* weights, const Gathered& to) {
  HWY_ALIGN float panel[kPanelFloats];
  HWY_ALIGN float p[kPanelQueries * kPageRows];
  float shrink[kPanelQueries];
  const std::size_t head_dim = kv.head_dim;
  panel_logits<Format>(kv, page, a, query, queries, panel, p);
  for (std::size_t i = 0; i < queries; ++i) {
    shrink[i] = update_page(kv, page, a, query + i, counts[i], p + i * kPageRows, weights, to);
  }
  const std::size_t stride = stored_bytes<Format>(head_dim);
  for (std::size_t at = 0; at < head_dim; at += kPanelColumns) {
    const std::size_t columns = std::min(kPanelColumns, head_dim - at);
    widen_values<Format>(page, stride, at, columns, panel);
    float* out = to.sum + query * head_dim + at;
    std::size_t i = 0;
    for (; i + kValueQueries <= queries; i += kValueQueries) {
      add_panel_tile<kValueQueries>(panel, p + i * kPageRows, shrink + i, counts + i, columns,
                                    out + i * head_dim, head_dim);
    }
    for (; i < queries; ++i) {
      add_panel_tile<1>(panel, p + i * kPageRows, shrink + i, counts + i, columns,
                        out + i * head_dim, head_dim);
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace laconic
HWY_AFTER_NAMESPACE();

#endif  // per target
