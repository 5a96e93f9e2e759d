// SPDX-License-Identifier: Apache-2.0
#include "kernels/attention.h"

#include <algorithm>
#include <cstdint>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/attention.cc"
#include "kernels/simd_targets.h"
// Before the per-target headers.
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "kernels/attend_panel-inl.h"

HWY_BEFORE_NAMESPACE();
namespace laconic {
namespace HWY_NAMESPACE {

// Of the first `rows` rows of a head, those in the page that begins with row `first`.
HWY_INLINE std::size_t rows_in_page(std::size_t rows, std::size_t first) {
  return rows > first ? std::min(kPageRows, rows - first) : 0;
}

// Up to so many queries read a page where it lies, more of them from panels.
inline constexpr std::size_t kFewQueries = 8;

// Queries that one tile takes.
inline constexpr std::size_t kTileQueries = kManyRegisters ? 8 : 4;

// Queries [query, query + count) of one page, that see the same rows of it. PRECONDITION: count is
// at most kX.
template <typename Format, std::size_t kX>
HWY_INLINE void attend_tile(const HeadRowsView& kv, const PageRows& page, const AttendQueries& a,
                            std::size_t query, std::size_t count, float* weights,
                            const Gathered& to) {
  if constexpr (kX > 1) {
    if (count < kX) return attend_tile<Format, kX - 1>(kv, page, a, query, count, weights, to);
  }
  attend_page<Format, kX>(kv, page, a, query, weights, to);
}

// Gathers what the queries see of rows [begin, end). PRECONDITION: begin is a page's first row.
template <typename Format>
HWY_INLINE void attend_pages(const HeadRowsView& kv, std::size_t begin, std::size_t end,
                             const AttendQueries& a, float* weights, const Gathered& to) {
  PageRows page;
  page.run = 0;
  for (std::size_t first = begin; first < end; first += kPageRows) {
    while (a.run_ends[page.run] <= first) ++page.run;
    const std::byte* const* here = kv.pages + first / kPageRows;
    page.keys = reinterpret_cast<const std::uint8_t*>(*here);
    page.values = page.keys + kv.value_rows * stored_bytes<Format>(kv.head_dim);
    // Behind `end` too: the same thread mostly goes on there.
    page.next =
        first + kPageRows < kv.rows ? reinterpret_cast<const std::uint8_t*>(here[1]) : page.keys;
    page.first = first;
    for (std::size_t i = 0; i < a.queries;) {
      std::size_t counts[kPanelQueries];  // what neighbours see of this page, if anything
      std::size_t count = 0;
      for (; count < kPanelQueries && i + count < a.queries; ++count) {
        counts[count] = rows_in_page(std::min(a.visible[i + count], end), first);
        if (counts[count] == 0) break;
      }
      if (count == 0) {
        ++i;
        continue;
      }
      if (count > kFewQueries && fits_panel(kv.head_dim)) {
        page.count = *std::max_element(counts, counts + count);
        attend_panels<Format>(kv, page, a, i, count, counts, weights, to);
      } else {
        page.count = counts[0];
        std::size_t same = 1;
        while (same < std::min(count, kFewQueries) && counts[same] == counts[0]) ++same;
        count = same > kTileQueries ? (same + 1) / 2 : same;
        attend_tile<Format, kTileQueries>(kv, page, a, i, count, weights, to);
      }
      i += count;
    }
  }
}

void attend_part_kernel(const HeadRowsView& kv, std::size_t begin, std::size_t end,
                        const AttendQueries& a, float* weights, float* part) {
  const Gathered to(part, a.queries);
  to.clear(a.queries, kv.head_dim);
  if (kv.type == DType::kF32) {
    attend_pages<FormatF32>(kv, begin, end, a, weights, to);
  } else if (kv.type == DType::kF16) {
    attend_pages<FormatF16>(kv, begin, end, a, weights, to);
  } else if (kv.type == DType::kQ8_0) {
    attend_pages<FormatQ8_0>(kv, begin, end, a, weights, to);
  } else {
    attend_pages<FormatBF16>(kv, begin, end, a, weights, to);
  }
}

void add_part_kernel(const float* part, std::size_t queries, std::size_t head_dim, float* to) {
  add_gathered(part, queries, head_dim, Gathered(to, queries));
}

// out = what was gathered, divided by the total.
void divide_kernel(float* sums, std::size_t queries, std::size_t head_dim, float* out) {
  const Gathered from(sums, queries);
  for (std::size_t i = 0; i < queries; ++i) {
    const float share = 1.0f / from.total[i];
    const float* sum = from.sum + i * head_dim;
    for (std::size_t k = 0; k < head_dim; ++k) out[i * head_dim + k] = sum[k] * share;
  }
}

void finish_weights_kernel(float* sums, const AttendQueries& a, std::size_t rows, float* weights) {
  const Gathered from(sums, a.queries);
  for (std::size_t i = 0; i < a.queries; ++i) {
    finish_weights(weights + i * rows, a.visible[i], rows, from.largest[i], 1.0f / from.total[i]);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace laconic
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace laconic {

HWY_EXPORT(attend_part_kernel);
HWY_EXPORT(add_part_kernel);
HWY_EXPORT(divide_kernel);
HWY_EXPORT(finish_weights_kernel);

namespace {

std::size_t rows_asked(const AttendQueries& a) {
  return *std::max_element(a.visible, a.visible + a.queries);
}

void gather_part(const HeadRowsView& kv, const AttendQueries& a, std::size_t index, float* weights,
                 float* part) {
  const std::size_t begin = index * kPartRows;
  const std::size_t end = std::min(begin + kPartRows, rows_asked(a));
  HWY_DYNAMIC_DISPATCH(attend_part_kernel)(kv, begin, end, a, weights, part);
}

// All parts, one after the other.
void attend_all(const HeadRowsView& kv, const AttendQueries& a, float* out, float* weights,
                float* scratch) {
  if (a.queries == 0) return;
  float* part = scratch + attend_part_floats(a.queries, kv.head_dim);
  gather_part(kv, a, 0, weights, scratch);
  for (std::size_t index = 1; index < parts_of(rows_asked(a)); ++index) {
    gather_part(kv, a, index, weights, part);
    HWY_DYNAMIC_DISPATCH(add_part_kernel)(part, a.queries, kv.head_dim, scratch);
  }
  HWY_DYNAMIC_DISPATCH(divide_kernel)(scratch, a.queries, kv.head_dim, out);
  if (weights != nullptr) {
    HWY_DYNAMIC_DISPATCH(finish_weights_kernel)(scratch, a, kv.rows, weights);
  }
}

}  // namespace

std::size_t attend_scratch_floats(std::size_t queries, std::size_t head_dim) {
  return 2 * attend_part_floats(queries, head_dim);
}

void attend_part(const HeadRowsView& kv, const AttendQueries& asked, std::size_t index,
                 float* part) {
  gather_part(kv, asked, index, nullptr, part);
}

void finish_attend(float* parts, std::size_t count, std::size_t queries, std::size_t head_dim,
                   float* out) {
  const std::size_t stride = attend_part_floats(queries, head_dim);
  for (std::size_t index = 1; index < count; ++index) {
    HWY_DYNAMIC_DISPATCH(add_part_kernel)(parts + index * stride, queries, head_dim, parts);
  }
  HWY_DYNAMIC_DISPATCH(divide_kernel)(parts, queries, head_dim, out);
}

void attend(const HeadRowsView& kv, const float* q, const std::size_t* visible, std::size_t queries,
            float scale, float* out, float* scratch) {
  attend_split(kv, q, &kv.rows, visible, queries, scale, out, scratch);
}

void attend_with_weights(const HeadRowsView& kv, const float* q, const std::size_t* visible,
                         std::size_t queries, float scale, float* out, float* weights,
                         float* scratch) {
  attend_all(kv, {q, &kv.rows, visible, queries, scale}, out, weights, scratch);
}

void attend_split(const HeadRowsView& kv, const float* q, const std::size_t* run_ends,
                  const std::size_t* visible, std::size_t queries, float scale, float* out,
                  float* scratch) {
  attend_all(kv, {q, run_ends, visible, queries, scale}, out, nullptr, scratch);
}

}  // namespace laconic
#endif  // HWY_ONCE
