// SPDX-License-Identifier: Apache-2.0
// e^x for vectors, to 2e-7 of the result (absolute 2^-149 where that is subnormal). Included once
// per SIMD target.
//
// x = n ln 2 + r with |r| <= ln 2 / 2; e^r = 1 + r + r^2 q(r), where q is the polynomial that
// interpolates (e^r - 1 - r) / r^2 at the five Chebyshev nodes of that interval (error 1e-8).
// e^-inf is 0, e^inf is inf, and NaN stays NaN.
#include <limits>

#include "kernels/simd_targets.h"

#if defined(LACONIC_KERNELS_EXP_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LACONIC_KERNELS_EXP_INL_H_
#undef LACONIC_KERNELS_EXP_INL_H_
#else
#define LACONIC_KERNELS_EXP_INL_H_
#endif

#include "kernels/widen-inl.h"

HWY_BEFORE_NAMESPACE();
namespace laconic {
namespace HWY_NAMESPACE {

HWY_INLINE V exp_of(V x) {
  const F32 d;
  const I32 di;
  // ln 2 in two parts; the first has 15 bits, so that its product with n is exact without FMA.
  const V n = hn::Round(hn::Mul(x, hn::Set(d, 1.44269504f)));
  V r = hn::NegMulAdd(n, hn::Set(d, 0.693145751953125f), x);
  r = hn::NegMulAdd(n, hn::Set(d, 1.42860682e-06f), r);
  V q = hn::Set(d, 0.00139262135f);
  q = hn::MulAdd(q, r, hn::Set(d, 0.00836320297f));
  q = hn::MulAdd(q, r, hn::Set(d, 0.0416665544f));
  q = hn::MulAdd(q, r, hn::Set(d, 0.166665768f));
  q = hn::MulAdd(q, r, hn::Set(d, 0.5f));
  const V e = hn::Add(hn::MulAdd(hn::Mul(r, r), q, r), hn::Set(d, 1.0f));
  // 2^n in two factors, because n = 128 and the subnormal results exceed one exponent field.
  const auto bias = hn::Set(di, 127);
  // NaN has no integer; e carries it to the result.
  const auto whole = hn::ConvertTo(di, hn::IfThenElseZero(hn::Eq(n, n), n));
  const auto half = hn::ShiftRight<1>(whole);
  const V scale0 = hn::BitCast(d, hn::ShiftLeft<23>(hn::Add(half, bias)));
  const V scale1 = hn::BitCast(d, hn::ShiftLeft<23>(hn::Add(hn::Sub(whole, half), bias)));
  const V value = hn::Mul(hn::Mul(e, scale0), scale1);
  // The first x that round to 0 and to infinity; comparisons are false for NaN.
  const V low = hn::IfThenElse(hn::Lt(x, hn::Set(d, -103.98f)), hn::Zero(d), value);
  return hn::IfThenElse(hn::Gt(x, hn::Set(d, 88.7229f)),
                        hn::Set(d, std::numeric_limits<float>::infinity()), low);
}

}  // namespace HWY_NAMESPACE
}  // namespace laconic
HWY_AFTER_NAMESPACE();

#endif  // per target
