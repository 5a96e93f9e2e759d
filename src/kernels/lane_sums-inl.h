// SPDX-License-Identifier: Apache-2.0
// Sums of the lanes of four vectors at once, in the order of hn::SumOfLanes: halves first. One
// after the other they cost as much as the products of a short row. Included once per SIMD target;
// for vectors of one lane there is nothing to sum.
#include <cstddef>
#include <cstdint>

#include "kernels/simd_targets.h"

#if defined(LACONIC_KERNELS_LANE_SUMS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LACONIC_KERNELS_LANE_SUMS_INL_H_
#undef LACONIC_KERNELS_LANE_SUMS_INL_H_
#else
#define LACONIC_KERNELS_LANE_SUMS_INL_H_
#endif

#include "kernels/widen-inl.h"

#if HWY_TARGET != HWY_SCALAR

HWY_BEFORE_NAMESPACE();
namespace laconic {
namespace HWY_NAMESPACE {

using FourFloats = hn::FixedTag<float, 4>;
using TwoPairs = hn::FixedTag<std::uint64_t, 2>;  // pairs of floats that move together
using Four = hn::Vec<FourFloats>;

// Halves of a vector added until four lanes are left.
template <class D>
HWY_INLINE Four fold(D d, hn::Vec<D> v) {
  if constexpr (hn::MaxLanes(d) == 4) {
    return v;
  } else {
    const hn::Half<D> half;
    return fold(half, hn::Add(hn::LowerHalf(half, v), hn::UpperHalf(half, v)));
  }
}

// (a0 + a2) + (a1 + a3), the same of b, of c and of e.
HWY_INLINE Four sums_of_lanes(Four a, Four b, Four c, Four e) {
  const FourFloats d;
  const TwoPairs pairs;
  const Four ab = hn::Add(hn::InterleaveLower(d, a, b), hn::InterleaveUpper(d, a, b));
  const Four ce = hn::Add(hn::InterleaveLower(d, c, e), hn::InterleaveUpper(d, c, e));
  const auto first = hn::BitCast(pairs, ab);
  const auto second = hn::BitCast(pairs, ce);
  return hn::Add(hn::BitCast(d, hn::InterleaveLower(pairs, first, second)),
                 hn::BitCast(d, hn::InterleaveUpper(pairs, first, second)));
}

}  // namespace HWY_NAMESPACE
}  // namespace laconic
HWY_AFTER_NAMESPACE();

#endif  // more than one lane

#endif  // per target
