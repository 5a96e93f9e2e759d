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
  const std::uint8_t* v = values + at * Format::kBytes;
  for (std::size_t r = 0; r < count; ++r, v += stride) {
    hwy::Prefetch(v + kPrefetchBytes);
    for (std::size_t c = 0; c < kVectors; ++c) {
      const V value = Format::load(v + c * kLanes * Format::kBytes);
      for (std::size_t i = 0; i < kX; ++i) {
        sum[i][c] = hn::MulAdd(hn::Set(d, p[i * kPageRows + r]), value, sum[i][c]);
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

// One page, `count` of its rows, for kX queries that all see exactly these rows.
template <typename Format, std::size_t kX>
HWY_NOINLINE void attend_page(const std::uint8_t* page, std::size_t head_dim, std::size_t count,
                              const float* q, float scale, OnlineSoftmax state, float* out) {
  HWY_ALIGN float p[kX * kPageRows];
  const std::size_t stride = head_dim * Format::kBytes;
  dot_rows<Format, kX>(DotArguments{page, stride, head_dim, q, head_dim, p, kPageRows}, 0, count,
                       0);
  float shrink[kX];
  for (std::size_t i = 0; i < kX; ++i) {
    shrink[i] = update_softmax(p + i * kPageRows, count, scale, state.largest + i, state.total + i);
  }
  const std::uint8_t* values = page + kPageRows * stride;
  // As many vectors of a row as accumulators allow: a row is then read in one go.
  constexpr std::size_t kWide = (kManyRegisters ? 16 : 8) / (kX == 3 ? 4 : kX);
  std::size_t at = 0;
  for (; at + kWide * kLanes <= head_dim; at += kWide * kLanes) {
    add_values<Format, kX, kWide>(values, stride, count, p, shrink, out, head_dim, at);
  }
  for (; at + 2 * kLanes <= head_dim; at += 2 * kLanes) {
    add_values<Format, kX, 2>(values, stride, count, p, shrink, out, head_dim, at);
  }
  for (; at + kLanes <= head_dim; at += kLanes) {
    add_values<Format, kX, 1>(values, stride, count, p, shrink, out, head_dim, at);
  }
  if (at < head_dim) {
    for (std::size_t i = 0; i < kX; ++i) {
      add_values_tail<Format>(values, stride, count, p + i * kPageRows, shrink[i],
                              out + i * head_dim, at, head_dim - at);
    }
  }
}

template <typename Format>
HWY_INLINE void attend_pages(const HeadRowsView& kv, const float* q, const std::size_t* visible,
                             std::size_t queries, float scale, OnlineSoftmax state, float* out) {
  const std::size_t most = *std::max_element(visible, visible + queries);
  for (std::size_t first = 0; first < most; first += kPageRows) {
    const auto* page = reinterpret_cast<const std::uint8_t*>(kv.pages[first / kPageRows]);
    for (std::size_t i = 0; i < queries;) {
      const std::size_t count = visible[i] > first ? std::min(kPageRows, visible[i] - first) : 0;
      std::size_t run = 1;  // neighbours that see the same rows of this page
      while (run < kTileVectors && i + run < queries &&
             (visible[i + run] > first ? std::min(kPageRows, visible[i + run] - first) : 0) ==
                 count) {
        ++run;
      }
      if (count > 0) {
        const float* query = q + i * kv.head_dim;
        float* result = out + i * kv.head_dim;
        const OnlineSoftmax at{state.largest + i, state.total + i};
        if (run == 1) {
          attend_page<Format, 1>(page, kv.head_dim, count, query, scale, at, result);
        } else if (run == 2) {
          attend_page<Format, 2>(page, kv.head_dim, count, query, scale, at, result);
        } else if constexpr (kTileVectors > 2) {
          if (run == 3) {
            attend_page<Format, 3>(page, kv.head_dim, count, query, scale, at, result);
          } else {
            attend_page<Format, 4>(page, kv.head_dim, count, query, scale, at, result);
          }
        }
      }
      i += run;
    }
  }
}

void attend_kernel(const HeadRowsView& kv, const float* q, const std::size_t* visible,
                   std::size_t queries, float scale, float* out, float* scratch) {
  const OnlineSoftmax state{scratch, scratch + queries};
  std::fill_n(state.largest, queries, -std::numeric_limits<float>::infinity());
  std::fill_n(state.total, queries, 0.0f);
  std::fill_n(out, queries * kv.head_dim, 0.0f);
  if (kv.type == DType::kF32) {
    attend_pages<FormatF32>(kv, q, visible, queries, scale, state, out);
  } else if (kv.type == DType::kF16) {
    attend_pages<FormatF16>(kv, q, visible, queries, scale, state, out);
  } else {
    attend_pages<FormatBF16>(kv, q, visible, queries, scale, state, out);
  }
  for (std::size_t i = 0; i < queries; ++i) {
    const float share = 1.0f / state.total[i];
    for (std::size_t k = 0; k < kv.head_dim; ++k) out[i * kv.head_dim + k] *= share;
  }
}

template <typename Format>
HWY_INLINE void key_logits_pages(const HeadRowsView& kv, std::size_t begin, std::size_t end,
                                 const float* q, std::size_t queries, float scale, float* logits) {
  const std::size_t stride = kv.head_dim * Format::kBytes;
  for (std::size_t row = begin; row < end;) {
    const std::size_t in_page = row % kPageRows;
    const std::size_t count = std::min(kPageRows - in_page, end - row);
    const auto* page = reinterpret_cast<const std::uint8_t*>(kv.pages[row / kPageRows]);
    dot_block<Format>(DotArguments{page + in_page * stride, stride, kv.head_dim, q, kv.head_dim,
                                   logits + (row - begin), end - begin},
                      0, count, queries);
    row += count;
  }
  for (std::size_t i = 0; i < queries * (end - begin); ++i) logits[i] *= scale;
}

void key_logits_kernel(const HeadRowsView& kv, std::size_t begin, std::size_t end, const float* q,
                       std::size_t queries, float scale, float* logits) {
  if (kv.type == DType::kF32) {
    key_logits_pages<FormatF32>(kv, begin, end, q, queries, scale, logits);
  } else if (kv.type == DType::kF16) {
    key_logits_pages<FormatF16>(kv, begin, end, q, queries, scale, logits);
  } else {
    key_logits_pages<FormatBF16>(kv, begin, end, q, queries, scale, logits);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace laconic
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace laconic {

HWY_EXPORT(attend_kernel);
HWY_EXPORT(key_logits_kernel);

std::size_t attend_scratch_floats(std::size_t queries, std::size_t) { return 2 * queries; }

void attend(const HeadRowsView& kv, const float* q, const std::size_t* visible, std::size_t queries,
            float scale, float* out, float* scratch) {
  if (queries == 0) return;
  HWY_DYNAMIC_DISPATCH(attend_kernel)(kv, q, visible, queries, scale, out, scratch);
}

void key_logits(const HeadRowsView& kv, std::size_t begin, std::size_t end, const float* q,
                std::size_t queries, float scale, float* logits) {
  if (queries == 0 || begin >= end) return;
  HWY_DYNAMIC_DISPATCH(key_logits_kernel)(kv, begin, end, q, queries, scale, logits);
}

}  // namespace laconic
#endif  // HWY_ONCE
