// SPDX-License-Identifier: Apache-2.0
// silu(gate) * up for vectors. Included once per SIMD target.
#include "kernels/simd_targets.h"

#if defined(LACONIC_KERNELS_SWIGLU_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LACONIC_KERNELS_SWIGLU_INL_H_
#undef LACONIC_KERNELS_SWIGLU_INL_H_
#else
#define LACONIC_KERNELS_SWIGLU_INL_H_
#endif

#include "kernels/exp-inl.h"

HWY_BEFORE_NAMESPACE();
namespace laconic {
namespace HWY_NAMESPACE {

HWY_INLINE V swiglu_vector(V gate, V up) {
  const F32 d;
  const V one = hn::Set(d, 1.0f);
  return hn::Mul(hn::Div(gate, hn::Add(one, exp_of(hn::Neg(gate)))), up);
}

}  // namespace HWY_NAMESPACE
}  // namespace laconic
HWY_AFTER_NAMESPACE();

#endif  // per target
