// SPDX-License-Identifier: Apache-2.0
#include "kernels/elementwise.h"

#include <algorithm>
#include <cmath>
#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/elementwise.cc"
#include "kernels/simd_targets.h"
// Before the per-target headers.
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "kernels/exp-inl.h"
#include "kernels/rms_scale-inl.h"
#include "kernels/swiglu-inl.h"

HWY_BEFORE_NAMESPACE();
namespace laconic {
namespace HWY_NAMESPACE {

void rms_norm_kernel(const float* x, const float* weight, float eps, std::size_t n, float* y) {
  const F32 d;
  const V scale = hn::Set(d, rms_scale(x, eps, n));
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    const V scaled = hn::Mul(hn::LoadU(d, x + i), scale);
    hn::StoreU(hn::Mul(scaled, hn::LoadU(d, weight + i)), d, y + i);
  }
  for (; i < n; ++i) y[i] = x[i] * hn::GetLane(scale) * weight[i];
}

void add_in_place_kernel(float* y, const float* x, std::size_t n) {
  const F32 d;
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    hn::StoreU(hn::Add(hn::LoadU(d, y + i), hn::LoadU(d, x + i)), d, y + i);
  }
  for (; i < n; ++i) y[i] += x[i];
}

template <bool kBias>
HWY_INLINE bool add_residual_row(float* x, const float* delta, const float* bias, std::size_t n) {
  const F32 d;
  // Zero times what is not finite is NaN, and stays it: one instruction a vector, and no branch.
  V lost = hn::Zero(d);
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    V more = hn::LoadU(d, delta + i);
    if constexpr (kBias) more = hn::Add(more, hn::LoadU(d, bias + i));
    const V now = hn::Add(hn::LoadU(d, x + i), more);
    lost = hn::MulAdd(now, hn::Zero(d), lost);
    hn::StoreU(now, d, x + i);
  }
  bool finite = hn::AllTrue(d, hn::Eq(lost, hn::Zero(d)));
  for (; i < n; ++i) {
    x[i] += kBias ? delta[i] + bias[i] : delta[i];
    finite = finite && std::isfinite(x[i]);
  }
  return finite;
}

bool add_residual_kernel(float* x, const float* delta, const float* bias, std::size_t n) {
  return bias == nullptr ? add_residual_row<false>(x, delta, bias, n)
                         : add_residual_row<true>(x, delta, bias, n);
}

void swiglu_kernel(const float* gate, const float* up, std::size_t n, float* out) {
  const F32 d;
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    hn::StoreU(swiglu_vector(hn::LoadU(d, gate + i), hn::LoadU(d, up + i)), d, out + i);
  }
  if (i < n) {
    const V tail = swiglu_vector(load_partial(gate + i, n - i), load_partial(up + i, n - i));
    store_partial(tail, out + i, n - i);
  }
}

void softmax_kernel(float* x, std::size_t n) {
  const F32 d;
  float largest = -std::numeric_limits<float>::infinity();
  std::size_t i = 0;
  if (n >= kLanes) {
    V top = hn::LoadU(d, x);
    for (i = kLanes; i + kLanes <= n; i += kLanes) top = hn::Max(top, hn::LoadU(d, x + i));
    largest = max_of_lanes(top);
  }
  for (; i < n; ++i) largest = std::max(largest, x[i]);

  const V shift = hn::Set(d, largest);
  V sum = hn::Zero(d);
  for (i = 0; i + kLanes <= n; i += kLanes) {
    const V e = exp_of(hn::Sub(hn::LoadU(d, x + i), shift));
    sum = hn::Add(sum, e);
    hn::StoreU(e, d, x + i);
  }
  float total = sum_of_lanes(sum);
  if (i < n) {
    store_partial(exp_of(hn::Sub(load_partial(x + i, n - i), shift)), x + i, n - i);
    for (std::size_t k = i; k < n; ++k) total += x[k];
  }

  const float scale = 1.0f / total;
  for (i = 0; i + kLanes <= n; i += kLanes) {
    hn::StoreU(hn::Mul(hn::LoadU(d, x + i), hn::Set(d, scale)), d, x + i);
  }
  for (; i < n; ++i) x[i] *= scale;
}

void rope_kernel(float* head, const float* cos, const float* sin, std::size_t dim) {
  const F32 d;
  const std::size_t half = dim / 2;
  for (std::size_t i = 0; i < half; i += kLanes) {
    const std::size_t count = std::min(kLanes, half - i);
    float* low = head + i;
    float* high = head + half + i;
    if (count == kLanes) {
      const V a = hn::LoadU(d, low);
      const V b = hn::LoadU(d, high);
      const V c = hn::LoadU(d, cos + i);
      const V s = hn::LoadU(d, sin + i);
      hn::StoreU(hn::NegMulAdd(b, s, hn::Mul(a, c)), d, low);
      hn::StoreU(hn::MulAdd(a, s, hn::Mul(b, c)), d, high);
    } else {
      const V a = load_partial(low, count);
      const V b = load_partial(high, count);
      const V c = load_partial(cos + i, count);
      const V s = load_partial(sin + i, count);
      store_partial(hn::NegMulAdd(b, s, hn::Mul(a, c)), low, count);
      store_partial(hn::MulAdd(a, s, hn::Mul(b, c)), high, count);
    }
  }
}

bool all_finite_kernel(const float* x, std::size_t n) {
  const F32 d;
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    if (!hn::AllTrue(d, hn::IsFinite(hn::LoadU(d, x + i)))) return false;
  }
  for (; i < n; ++i) {
    if (!std::isfinite(x[i])) return false;
  }
  return true;
}

float largest_of(const float* x, std::size_t n) {
  const F32 d;
  // Four chains: one would wait for each maximum in turn.
  V top[4];
  std::fill_n(top, 4, hn::Set(d, x[0]));
  std::size_t i = 0;
  for (; i + 4 * kLanes <= n; i += 4 * kLanes) {
    for (std::size_t c = 0; c < 4; ++c) top[c] = hn::Max(top[c], hn::LoadU(d, x + i + c * kLanes));
  }
  float largest = max_of_lanes(hn::Max(hn::Max(top[0], top[1]), hn::Max(top[2], top[3])));
  for (; i < n; ++i) largest = std::max(largest, x[i]);
  return largest;
}

std::size_t argmax_kernel(const float* x, std::size_t n) {
  const F32 d;
  const float largest = largest_of(x, n);
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    const auto at = hn::FindFirstTrue(d, hn::Eq(hn::LoadU(d, x + i), hn::Set(d, largest)));
    if (at >= 0) return i + static_cast<std::size_t>(at);
  }
  while (x[i] != largest) ++i;
  return i;
}

// Of a vocabulary few values are wanted or nearly all; vectors without any are passed over.
std::size_t find_at_least_kernel(const float* x, std::size_t n, float least, std::int32_t* places) {
  const F32 d;
  std::size_t count = 0;
  const auto look = [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      places[count] = static_cast<std::int32_t>(i);
      count += x[i] >= least ? 1 : 0;
    }
  };
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    if (!hn::AllFalse(d, hn::Ge(hn::LoadU(d, x + i), hn::Set(d, least)))) look(i, i + kLanes);
  }
  look(i, n);
  return count;
}

}  // namespace HWY_NAMESPACE
}  // namespace laconic
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace laconic {

HWY_EXPORT(rms_norm_kernel);
HWY_EXPORT(add_in_place_kernel);
HWY_EXPORT(add_residual_kernel);
HWY_EXPORT(swiglu_kernel);
HWY_EXPORT(softmax_kernel);
HWY_EXPORT(rope_kernel);
HWY_EXPORT(all_finite_kernel);
HWY_EXPORT(argmax_kernel);
HWY_EXPORT(find_at_least_kernel);

void rms_norm(const float* x, const float* weight, float eps, std::size_t n, float* y) {
  HWY_DYNAMIC_DISPATCH(rms_norm_kernel)(x, weight, eps, n, y);
}

void add_in_place(float* y, const float* x, std::size_t n) {
  HWY_DYNAMIC_DISPATCH(add_in_place_kernel)(y, x, n);
}

bool add_residual(float* x, const float* delta, const float* bias, std::size_t n) {
  return HWY_DYNAMIC_DISPATCH(add_residual_kernel)(x, delta, bias, n);
}

void swiglu(const float* gate, const float* up, std::size_t n, float* out) {
  HWY_DYNAMIC_DISPATCH(swiglu_kernel)(gate, up, n, out);
}

void softmax_in_place(float* x, std::size_t n) {
  if (n > 0) HWY_DYNAMIC_DISPATCH(softmax_kernel)(x, n);
}

void rope_in_place(float* head, const float* cos, const float* sin, std::size_t d) {
  HWY_DYNAMIC_DISPATCH(rope_kernel)(head, cos, sin, d);
}

bool all_finite(const float* x, std::size_t n) {
  return HWY_DYNAMIC_DISPATCH(all_finite_kernel)(x, n);
}

std::size_t argmax(const float* x, std::size_t n) {
  return HWY_DYNAMIC_DISPATCH(argmax_kernel)(x, n);
}

std::size_t find_at_least(const float* x, std::size_t n, float least, std::int32_t* places) {
  return HWY_DYNAMIC_DISPATCH(find_at_least_kernel)(x, n, least, places);
}

}  // namespace laconic
#endif  // HWY_ONCE
