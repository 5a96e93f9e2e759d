// SPDX-License-Identifier: Apache-2.0
#include "kernels/attention.h"

#include <algorithm>
#include <cstdint>
#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/attention.cc"
#include "kernels/simd_targets.h"
// Before the per-target headers.
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "kernels/dot_tile-inl.h"
#include "kernels/exp-inl.h"

HWY_BEFORE_NAMESPACE();
namespace laconic {
namespace HWY_NAMESPACE {

// The running softmax of one query: everything seen so far is relative to `largest`.
struct OnlineSoftmax {
  float* largest;  // [queries]
  float* total;    // [queries]
};

// Turns the dot products p[0, count) into softmax numerators relative to the new largest logit, and
// gives the factor by which what was accumulated before shrinks.
HWY_INLINE float update_softmax(float* p /* [kPageRows] */, std::size_t count, float scale,
                                float* largest, float* total) {
  const F32 d;
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const std::size_t padded = (count + kLanes - 1) / kLanes * kLanes;
  const V factor = hn::Set(d, scale);
  V top = hn::Set(d, *largest);
  for (std::size_t r = count; r < padded; ++r) p[r] = 0;
  for (std::size_t r = 0; r < padded; r += kLanes) {
    V logit = hn::Mul(hn::Load(d, p + r), factor);
    if (r + kLanes > count) {
      logit = hn::IfThenElse(hn::FirstN(d, count - r), logit, hn::Set(d, -kInfinity));
    }
    hn::Store(logit, d, p + r);
    top = hn::Max(top, logit);
  }
  const float now = max_of_lanes(top);
  // While every logit is -inf, a shift of 0 keeps the numerators at 0 instead of NaN.
  const V shift = hn::Set(d, now == -kInfinity ? 0.0f : now);
  V sum = hn::Zero(d);
  for (std::size_t r = 0; r < padded; r += kLanes) {
    const V e = exp_of(hn::Sub(hn::Load(d, p + r), shift));
    hn::Store(e, d, p + r);
    sum = hn::Add(sum, e);
  }
  const float shrink = hn::GetLane(exp_of(hn::Sub(hn::Set(d, *largest), shift)));
  *largest = now;
  *total = *total * shrink + sum_of_lanes(sum);
  return shrink;
}

// out[i][at, at + kVectors * kLanes) = out * shrink + sum_r p[i][r] V[r], one chain per element.
template <typename Format, std::size_t kX, std::size_t kVectors>
HWY_INLINE void add_values(const std::uint8_t* values, std::size_t stride, std::size_t count,
                           const float* p, const float* shrink, float* out, std::size_t out_stride,
                           std::size_t at) {
  const F32 d;
  V sum[kX][kVectors];
  for (std::size_t i = 0; i < kX; ++i) {
    for (std::size_t c = 0; c < kVectors; ++c) {
      const float* old = out + i * out_stride + at + c * kLanes;
      sum[i][c] = hn::Mul(hn::LoadU(d, old), hn::Set(d, shrink[i]));
    }
  }
  // Whole blocks where a pass is that wide, so that each scale is widened once.
  constexpr bool kWhole = Format::kBlocks && kVectors * kLanes % Format::kSpan == 0;
  constexpr std::size_t kPart = kWhole ? Format::kSpan / kLanes : 1;  // vectors read together
  const std::uint8_t* v = values;
  for (std::size_t r = 0; r < count; ++r, v += stride) {
    hwy::Prefetch(v + stored_bytes<Format>(at) + kPrefetchBytes);
    for (std::size_t c = 0; c < kVectors; c += kPart) {
      V value[kPart];
      if constexpr (kWhole) {
        const Format span(v + stored_bytes<Format>(at) + c / kPart * Format::kSpanBytes);
        for (std::size_t w = 0; w < kPart; ++w) value[w] = span.vector(w);
      } else {
        value[0] = row_vector<Format>(v, at + c * kLanes);
      }
      for (std::size_t w = 0; w < kPart; ++w) {
        for (std::size_t i = 0; i < kX; ++i) {
          sum[i][c + w] = hn::MulAdd(hn::Set(d, p[i * kPageRows + r]), value[w], sum[i][c + w]);
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
HWY_INLINE void add_values_tail(const std::uint8_t* values, std::size_t stride, std::size_t count,
                                const float* p, float shrink, float* out, std::size_t at,
                                std::size_t elements) {
  const F32 d;
  V sum = hn::Mul(load_partial(out + at, elements), hn::Set(d, shrink));
  const std::uint8_t* v = values + at * Format::kBytes;
  for (std::size_t r = 0; r < count; ++r, v += stride) {
    sum = hn::MulAdd(hn::Set(d, p[r]), load_partial<Format>(v, elements), sum);
  }
  store_partial(sum, out + at, elements);
}

// What one call asks of a head's rows, and where its answers go.
struct AttendArguments {
  const float* q;               // [runs][queries][head_dim]
  const std::size_t* run_ends;  // [runs] behind the last row that a run's queries ask
  const std::size_t* visible;   // [queries]
  std::size_t queries;
  float scale;
  OnlineSoftmax state;
  float* out;      // [queries][head_dim]
  float* weights;  // [queries][rows], or null where nobody wants them
};

// The rows of one page that some queries see.
struct PageRows {
  const std::uint8_t* keys;    // [count][head_dim]
  const std::uint8_t* values;  // [count][head_dim]
  std::size_t first;           // index of the first one among all rows
  std::size_t count;
  std::size_t run;  // whose queries ask the first one
};

// Keeps logits for finish_weights: what the page's numerators are relative to may still grow.
HWY_INLINE void note_logits(const float* p, std::size_t count, float scale, float* logits) {
  const F32 d;
  const V factor = hn::Set(d, scale);
  std::size_t r = 0;
  for (; r + kLanes <= count; r += kLanes) {
    hn::StoreU(hn::Mul(hn::Load(d, p + r), factor), d, logits + r);
  }
  if (r < count) {
    store_partial(hn::Mul(load_partial(p + r, count - r), factor), logits + r, count - r);
  }
}

// One page for kX queries, from `query` on, that all see exactly these rows of it.
template <typename Format, std::size_t kX>
HWY_NOINLINE void attend_page(const HeadRowsView& kv, const PageRows& page,
                              const AttendArguments& a, std::size_t query) {
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
    if (a.weights != nullptr) {
      note_logits(p + i * kPageRows, count, a.scale,
                  a.weights + (query + i) * kv.rows + page.first);
    }
    shrink[i] = update_softmax(p + i * kPageRows, count, a.scale, a.state.largest + query + i,
                               a.state.total + query + i);
  }
  float* out = a.out + query * head_dim;
  // As many vectors of a row as accumulators allow: a row is then read in one go.
  constexpr std::size_t kWide = (kManyRegisters ? 16 : 8) / (kX == 1 ? 2 : kX == 3 ? 4 : kX);
  std::size_t at = 0;
  for (; at + kWide * kLanes <= head_dim; at += kWide * kLanes) {
    add_values<Format, kX, kWide>(page.values, stride, count, p, shrink, out, head_dim, at);
  }
  for (; at + 2 * kLanes <= head_dim; at += 2 * kLanes) {
    add_values<Format, kX, 2>(page.values, stride, count, p, shrink, out, head_dim, at);
  }
  for (; at + kLanes <= head_dim; at += kLanes) {
    add_values<Format, kX, 1>(page.values, stride, count, p, shrink, out, head_dim, at);
  }
  if constexpr (!Format::kBlocks) {
    if (at < head_dim) {
      for (std::size_t i = 0; i < kX; ++i) {
        add_values_tail<Format>(page.values, stride, count, p + i * kPageRows, shrink[i],
                                out + i * head_dim, at, head_dim - at);
      }
    }
  }
}

// Of the first `rows` rows of a head, those in the page that begins with row `first`.
HWY_INLINE std::size_t rows_in_page(std::size_t rows, std::size_t first) {
  return rows > first ? std::min(kPageRows, rows - first) : 0;
}

template <typename Format>
HWY_INLINE void attend_pages(const HeadRowsView& kv, const AttendArguments& a) {
  const std::size_t most = *std::max_element(a.visible, a.visible + a.queries);
  PageRows page;
  page.run = 0;
  for (std::size_t first = 0; first < most; first += kPageRows) {
    while (a.run_ends[page.run] <= first) ++page.run;
    page.keys = reinterpret_cast<const std::uint8_t*>(kv.pages[first / kPageRows]);
    page.values = page.keys + kv.value_rows * stored_bytes<Format>(kv.head_dim);
    page.first = first;
    for (std::size_t i = 0; i < a.queries;) {
      page.count = rows_in_page(a.visible[i], first);
      std::size_t run = 1;  // neighbours that see the same rows of this page
      while (run < kTileVectors && i + run < a.queries &&
             rows_in_page(a.visible[i + run], first) == page.count) {
        ++run;
      }
      if (page.count > 0) {
        if (run == 1) {
          attend_page<Format, 1>(kv, page, a, i);
        } else if (run == 2) {
          attend_page<Format, 2>(kv, page, a, i);
        } else if constexpr (kTileVectors > 2) {
          if (run == 3) {
            attend_page<Format, 3>(kv, page, a, i);
          } else {
            attend_page<Format, 4>(kv, page, a, i);
          }
        }
      }
      i += run;
    }
  }
}

// Turns the logits of a query's visible rows into its weights. [rows]
HWY_INLINE void finish_weights(float* weights, std::size_t visible, std::size_t rows, float largest,
                               float share) {
  const F32 d;
  // As in update_softmax.
  const V shift = hn::Set(d, largest == -std::numeric_limits<float>::infinity() ? 0.0f : largest);
  const V factor = hn::Set(d, share);
  std::size_t r = 0;
  for (; r + kLanes <= visible; r += kLanes) {
    const V e = exp_of(hn::Sub(hn::LoadU(d, weights + r), shift));
    hn::StoreU(hn::Mul(e, factor), d, weights + r);
  }
  if (r < visible) {
    const V e = exp_of(hn::Sub(load_partial(weights + r, visible - r), shift));
    store_partial(hn::Mul(e, factor), weights + r, visible - r);
  }
  std::fill(weights + visible, weights + rows, 0.0f);
}

void attend_kernel(const HeadRowsView& kv, const float* q, const std::size_t* run_ends,
                   const std::size_t* visible, std::size_t queries, float scale, float* out,
                   float* weights, float* scratch) {
  const OnlineSoftmax state{scratch, scratch + queries};
  std::fill_n(state.largest, queries, -std::numeric_limits<float>::infinity());
  std::fill_n(state.total, queries, 0.0f);
  std::fill_n(out, queries * kv.head_dim, 0.0f);
  const AttendArguments arguments{q, run_ends, visible, queries, scale, state, out, weights};
  if (kv.type == DType::kF32) {
    attend_pages<FormatF32>(kv, arguments);
  } else if (kv.type == DType::kF16) {
    attend_pages<FormatF16>(kv, arguments);
  } else if (kv.type == DType::kQ8_0) {
    attend_pages<FormatQ8_0>(kv, arguments);
  } else {
    attend_pages<FormatBF16>(kv, arguments);
  }
  for (std::size_t i = 0; i < queries; ++i) {
    const float share = 1.0f / state.total[i];
    for (std::size_t k = 0; k < kv.head_dim; ++k) out[i * kv.head_dim + k] *= share;
    if (weights != nullptr) {
      finish_weights(weights + i * kv.rows, visible[i], kv.rows, state.largest[i], share);
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace laconic
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace laconic {

HWY_EXPORT(attend_kernel);

std::size_t attend_scratch_floats(std::size_t queries, std::size_t) { return 2 * queries; }

void attend(const HeadRowsView& kv, const float* q, const std::size_t* visible, std::size_t queries,
            float scale, float* out, float* scratch) {
  attend_split(kv, q, &kv.rows, visible, queries, scale, out, scratch);
}

void attend_with_weights(const HeadRowsView& kv, const float* q, const std::size_t* visible,
                         std::size_t queries, float scale, float* out, float* weights,
                         float* scratch) {
  if (queries == 0) return;
  HWY_DYNAMIC_DISPATCH(attend_kernel)
  (kv, q, &kv.rows, visible, queries, scale, out, weights, scratch);
}

void attend_split(const HeadRowsView& kv, const float* q, const std::size_t* run_ends,
                  const std::size_t* visible, std::size_t queries, float scale, float* out,
                  float* scratch) {
  if (queries == 0) return;
  HWY_DYNAMIC_DISPATCH(attend_kernel)
  (kv, q, run_ends, visible, queries, scale, out, nullptr, scratch);
}

}  // namespace laconic
#endif  // HWY_ONCE
