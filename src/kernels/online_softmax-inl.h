// SPDX-License-Identifier: Apache-2.0
// Softmax over rows that come in pieces: numerators are relative to the largest logit so far.
// Included once per SIMD target.
#include <algorithm>
#include <cstddef>
#include <limits>

#include "kernels/simd_targets.h"

#if defined(LACONIC_KERNELS_ONLINE_SOFTMAX_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LACONIC_KERNELS_ONLINE_SOFTMAX_INL_H_
#undef LACONIC_KERNELS_ONLINE_SOFTMAX_INL_H_
#else
#define LACONIC_KERNELS_ONLINE_SOFTMAX_INL_H_
#endif

#include "kernels/exp-inl.h"

HWY_BEFORE_NAMESPACE();
namespace laconic {
namespace HWY_NAMESPACE {

inline constexpr float kNoLogit = -std::numeric_limits<float>::infinity();

// While every logit is -inf, a shift of 0 keeps the numerators at 0 instead of NaN.
HWY_INLINE float shift_of(float largest) { return largest == kNoLogit ? 0.0f : largest; }

// Turns the dot products p[0, count) into softmax numerators relative to the new largest logit, and
// gives the factor by which what was accumulated before shrinks.
HWY_INLINE float update_softmax(float* p /* [kPageRows] */, std::size_t count, float scale,
                                float* largest, float* total) {
  const F32 d;
  const std::size_t padded = (count + kLanes - 1) / kLanes * kLanes;
  const V factor = hn::Set(d, scale);
  V top = hn::Set(d, *largest);
  for (std::size_t r = count; r < padded; ++r) p[r] = 0;
  for (std::size_t r = 0; r < padded; r += kLanes) {
    V logit = hn::Mul(hn::Load(d, p + r), factor);
    if (r + kLanes > count) {
      logit = hn::IfThenElse(hn::FirstN(d, count - r), logit, hn::Set(d, kNoLogit));
    }
    hn::Store(logit, d, p + r);
    top = hn::Max(top, logit);
  }
  const float now = max_of_lanes(top);
  const V shift = hn::Set(d, shift_of(now));
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

// Turns the logits of a query's visible rows into its weights. [rows]
HWY_INLINE void finish_weights(float* weights, std::size_t visible, std::size_t rows, float largest,
                               float share) {
  const F32 d;
  const V shift = hn::Set(d, shift_of(largest));
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

// The running softmax of some queries and what it has gathered, in one piece of memory.
struct Gathered {
  Gathered(float* memory, std::size_t queries)
      : largest(memory), total(memory + queries), sum(memory + 2 * queries) {}

  void clear(std::size_t queries, std::size_t head_dim) const {
    std::fill_n(largest, queries, kNoLogit);
    std::fill_n(total, queries * (1 + head_dim), 0.0f);
  }

  float* largest;  // [queries]
  float* total;    // [queries]
  float* sum;      // [queries][head_dim]
};

// Adds what later rows gave, a Gathered's memory.
HWY_INLINE void add_gathered(const float* later, std::size_t queries, std::size_t head_dim,
                             const Gathered& to) {
  const F32 d;
  const float* later_total = later + queries;
  const float* later_sum = later + 2 * queries;
  for (std::size_t i = 0; i < queries; ++i) {
    if (later_total[i] == 0) continue;  // a query that sees none of those rows
    const float now = std::max(to.largest[i], later[i]);
    const V shift = hn::Set(d, shift_of(now));
    const V old = exp_of(hn::Sub(hn::Set(d, to.largest[i]), shift));
    const V fresh = exp_of(hn::Sub(hn::Set(d, later[i]), shift));
    to.largest[i] = now;
    to.total[i] = to.total[i] * hn::GetLane(old) + later_total[i] * hn::GetLane(fresh);
    float* sum = to.sum + i * head_dim;
    const float* from = later_sum + i * head_dim;
    std::size_t k = 0;
    for (; k + kLanes <= head_dim; k += kLanes) {
      const V scaled = hn::Mul(hn::LoadU(d, from + k), fresh);
      hn::StoreU(hn::MulAdd(hn::LoadU(d, sum + k), old, scaled), d, sum + k);
    }
    if (k < head_dim) {
      const std::size_t left = head_dim - k;
      const V scaled = hn::Mul(load_partial(from + k, left), fresh);
      store_partial(hn::MulAdd(load_partial(sum + k, left), old, scaled), sum + k, left);
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace laconic
HWY_AFTER_NAMESPACE();

#endif  // per target
