// SPDX-License-Identifier: Apache-2.0
// Sums of the lanes of many vectors at once, in one order: halves are added until four
// lanes are left, then (a0 + a2) + (a1 + a3). One vector after the other they would cost as much as
// the products of a short row. Included once per SIMD target.
#include <algorithm>
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

HWY_BEFORE_NAMESPACE();
namespace laconic {
namespace HWY_NAMESPACE {

// Rows whose sums are made and stored together.
inline constexpr std::size_t kSumRows = 4;

#if HWY_TARGET == HWY_SCALAR

HWY_INLINE float lanes_sum(V v) { return hn::GetLane(v); }

// The sums of kX vectors in each of four rows: of one lane, there is nothing to add.
template <std::size_t kX>
class LaneSums {
 public:
  HWY_INLINE void set(std::size_t row, const V (&v)[kX]) {
    for (std::size_t i = 0; i < kX; ++i) sums_[i][row] = hn::GetLane(v[i]);
  }

  // The first `count` rows' sums of vector i to to + i * stride.
  HWY_INLINE void store(float* to, std::size_t stride, std::size_t count) const {
    for (std::size_t i = 0; i < kX; ++i) std::copy_n(sums_[i], count, to + i * stride);
  }

 private:
  float sums_[kX][kSumRows];
};

#else

// Blocks of four lanes.
inline constexpr std::size_t kLaneBlocks = kLanes / 4;

// Folds so many vectors to four lanes each: block i of the answer is what is left of v[i].
HWY_INLINE V fold(const V (&v)[kLaneBlocks]) {
  if constexpr (kLaneBlocks == 1) {
    return v[0];
  } else {
    const F32 d;
    const auto halves = [d](V a, V b) HWY_ATTR {
      return hn::Add(hn::ConcatLowerLower(d, b, a), hn::ConcatUpperUpper(d, b, a));
    };
    if constexpr (kLaneBlocks == 2) {
      return halves(v[0], v[1]);
    } else {
      const V even = halves(v[0], v[2]);
      const V odd = halves(v[1], v[3]);
      return hn::Add(hn::OddEvenBlocks(odd, even),
                     hn::SwapAdjacentBlocks(hn::OddEvenBlocks(even, odd)));
    }
  }
}

// In each block (a0 + a2) + (a1 + a3), the same of b, of c and of e.
HWY_INLINE V sums_in_blocks(V a, V b, V c, V e) {
  const F32 d;
  const hn::Repartition<std::uint64_t, F32> pairs;  // of floats that move together
  const V ab = hn::Add(hn::InterleaveLower(d, a, b), hn::InterleaveUpper(d, a, b));
  const V ce = hn::Add(hn::InterleaveLower(d, c, e), hn::InterleaveUpper(d, c, e));
  const auto first = hn::BitCast(pairs, ab);
  const auto second = hn::BitCast(pairs, ce);
  return hn::Add(hn::BitCast(d, hn::InterleaveLower(pairs, first, second)),
                 hn::BitCast(d, hn::InterleaveUpper(pairs, first, second)));
}

// Of one vector.
template <class D>
HWY_INLINE float halves_sum(D d, hn::Vec<D> v) {
  if constexpr (hn::MaxLanes(d) == 1) {
    return hn::GetLane(v);
  } else {
    const hn::Half<D> half;
    return halves_sum(half, hn::Add(hn::LowerHalf(half, v), hn::UpperHalf(half, v)));
  }
}

HWY_INLINE float lanes_sum(V v) { return halves_sum(F32(), v); }

// The first `count` blocks of v, `stride` floats apart.
template <class D>
HWY_INLINE void store_blocks(D d, hn::Vec<D> v, float* to, std::size_t stride, std::size_t count) {
  if constexpr (hn::MaxLanes(d) == 4) {
    hn::StoreU(v, d, to);
  } else {
    constexpr std::size_t kHere = hn::MaxLanes(d) / 8;  // blocks of a half
    const hn::Half<D> half;
    store_blocks(half, hn::LowerHalf(half, v), to, stride, std::min(count, kHere));
    if (count > kHere) {
      store_blocks(half, hn::UpperHalf(half, v), to + kHere * stride, stride, count - kHere);
    }
  }
}

// The sums of kX vectors in each of four rows. Rows are folded one by one, so that few registers
// hold them.
template <std::size_t kX>
class LaneSums {
 public:
  HWY_INLINE void set(std::size_t row, const V (&v)[kX]) {
    for (std::size_t g = 0; g < kGroups; ++g) {
      V group[kLaneBlocks];
      for (std::size_t i = 0; i < kLaneBlocks; ++i) {
        group[i] = v[std::min(g * kLaneBlocks + i, kX - 1)];
      }
      folded_[g][row] = fold(group);
    }
  }

  // The first `count` rows' sums of vector i to to + i * stride.
  HWY_INLINE void store(float* to, std::size_t stride, std::size_t count) const {
    for (std::size_t g = 0; g < kGroups; ++g) {
      const V sums = sums_in_blocks(folded_[g][0], folded_[g][1], folded_[g][2], folded_[g][3]);
      const std::size_t vectors = std::min(+kLaneBlocks, kX - g * kLaneBlocks);
      float* out = to + g * kLaneBlocks * stride;
      if (count == kSumRows) {
        store_blocks(F32(), sums, out, stride, vectors);
        continue;
      }
      HWY_ALIGN float some[kLanes];
      hn::Store(sums, F32(), some);
      for (std::size_t i = 0; i < vectors; ++i) {
        std::copy_n(some + i * kSumRows, count, out + i * stride);
      }
    }
  }

 private:
  static constexpr std::size_t kGroups = (kX + kLaneBlocks - 1) / kLaneBlocks;  // of a vector each

  V folded_[kGroups][kSumRows];
};

#endif  // more than one lane

}  // namespace HWY_NAMESPACE
}  // namespace laconic
HWY_AFTER_NAMESPACE();

#endif  // per target
