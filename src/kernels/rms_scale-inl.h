// SPDX-License-Identifier: Apache-2.0
// 1 / sqrt(mean(x^2) + eps), for the kernels that normalise rows: one order of summation, so that
// they agree bit for bit. Included once per SIMD target.
#include <algorithm>
#include <cmath>
#include <cstddef>

#include "kernels/simd_targets.h"

#if defined(LACONIC_KERNELS_RMS_SCALE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LACONIC_KERNELS_RMS_SCALE_INL_H_
#undef LACONIC_KERNELS_RMS_SCALE_INL_H_
#else
#define LACONIC_KERNELS_RMS_SCALE_INL_H_
#endif

#include "kernels/widen-inl.h"

HWY_BEFORE_NAMESPACE();
namespace laconic {
namespace HWY_NAMESPACE {

HWY_INLINE float rms_scale(const float* x /* [n] */, float eps, std::size_t n) {
  const F32 d;
  V sum0 = hn::Zero(d);
  V sum1 = hn::Zero(d);
  std::size_t i = 0;
  for (; i + 2 * kLanes <= n; i += 2 * kLanes) {
    const V a = hn::LoadU(d, x + i);
    const V b = hn::LoadU(d, x + i + kLanes);
    sum0 = hn::MulAdd(a, a, sum0);
    sum1 = hn::MulAdd(b, b, sum1);
  }
  for (; i < n; i += kLanes) {
    const V a = load_partial(x + i, std::min(kLanes, n - i));
    sum0 = hn::MulAdd(a, a, sum0);
  }
  const float mean = sum_of_lanes(hn::Add(sum0, sum1)) / static_cast<float>(n);
  return 1.0f / std::sqrt(mean + eps);
}

}  // namespace HWY_NAMESPACE
}  // namespace laconic
HWY_AFTER_NAMESPACE();

#endif  // per target
