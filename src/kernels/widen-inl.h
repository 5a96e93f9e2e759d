// SPDX-License-Identifier: Apache-2.0
// Vectors of f32 from any stored type. Included once per SIMD target.
//
// A "format" names a stored type: kSpan elements take kSpanBytes bytes, and Format(p).vector(v)
// gives elements [v * kLanes, (v + 1) * kLanes) of the span at p, widened exactly. Formats of
// plain elements also have load and load_partial. No alignment is required of p.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/simd_targets.h"

// Highway's include guard for code that is compiled once per target.
#if defined(LACONIC_KERNELS_WIDEN_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LACONIC_KERNELS_WIDEN_INL_H_
#undef LACONIC_KERNELS_WIDEN_INL_H_
#else
#define LACONIC_KERNELS_WIDEN_INL_H_
#endif

#include "base/dtype.h"
#include "hwy/cache_control.h"
#include "hwy/highway.h"
#include "kernels/k_quants.h"

HWY_BEFORE_NAMESPACE();
namespace laconic {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using F32 = hn::ScalableTag<float>;
using I32 = hn::ScalableTag<std::int32_t>;
using U32 = hn::ScalableTag<std::uint32_t>;
using U16 = hn::Rebind<std::uint16_t, F32>;  // as many lanes as F32
using U8 = hn::Rebind<std::uint8_t, F32>;
using I8 = hn::Rebind<std::int8_t, F32>;
using V = hn::Vec<F32>;

inline constexpr std::size_t kLanes = HWY_LANES(float);

// Vector registers that tiles may plan with: 32 on AVX-512 and AArch64, else 16.
inline constexpr bool kManyRegisters = HWY_MAX_BYTES == 64 || (HWY_ARCH_ARM_A64 != 0);

HWY_INLINE V f32_from_f16(hn::Vec<U16> half) {
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON
  return hn::PromoteTo(F32(), hn::BitCast(hn::Rebind<hwy::float16_t, F32>(), half));
#else
  // Shifted into place, an f16 is an f32 whose exponent is 112 too small: one exact product mends
  // that, subnormals included. Infinities and NaN get the exponent of all ones.
  const auto bits = hn::PromoteTo(U32(), half);
  const auto magnitude = hn::ShiftLeft<13>(hn::And(bits, hn::Set(U32(), 0x7fff)));
  const auto sign = hn::ShiftLeft<16>(hn::And(bits, hn::Set(U32(), 0x8000)));
  const auto scaled =
      hn::BitCast(U32(), hn::Mul(hn::BitCast(F32(), magnitude), hn::Set(F32(), 0x1p112f)));
  // Both sides are positive as signed numbers; targets without unsigned comparison exist.
  const auto special = hn::Gt(hn::BitCast(I32(), magnitude), hn::Set(I32(), 0x0f7fffff));
  const auto infinite =
      hn::IfThenElseZero(hn::RebindMask(U32(), special), hn::Set(U32(), 0x7f800000));
  return hn::BitCast(F32(), hn::Or(sign, hn::Or(scaled, infinite)));
#endif
}

HWY_INLINE V f32_from_bf16(hn::Vec<U16> upper) {
  return hn::BitCast(F32(), hn::ShiftLeft<16>(hn::PromoteTo(U32(), upper)));
}

// The f16 at p in every lane. Block scales sit at odd addresses.
HWY_INLINE V broadcast_f16(const std::uint8_t* p) {
  std::uint16_t bits;
  std::memcpy(&bits, p, sizeof(bits));
  return f32_from_f16(hn::Set(U16(), bits));
}

// The first `count` lanes from p, zeros behind.
template <typename Format>
HWY_INLINE V load_partial(const std::uint8_t* p, std::size_t count) {
  HWY_ALIGN std::uint8_t padded[kLanes * Format::kBytes] = {};
  std::memcpy(padded, p, count * Format::kBytes);
  return Format::load(padded);
}

HWY_INLINE V load_partial(const float* p, std::size_t count) {
  HWY_ALIGN float padded[kLanes] = {};
  std::memcpy(padded, p, count * sizeof(float));
  return hn::Load(F32(), padded);
}

HWY_INLINE void store_partial(V value, float* p, std::size_t count) {
  HWY_ALIGN float padded[kLanes];
  hn::Store(value, F32(), padded);
  std::memcpy(p, padded, count * sizeof(float));
}

HWY_INLINE float sum_of_lanes(V v) { return hn::GetLane(hn::SumOfLanes(F32(), v)); }
HWY_INLINE float max_of_lanes(V v) {
#if HWY_TARGET == HWY_EMU128
  // Its MaxOfLanes begins at the lowest finite value, which is above minus infinity.
  HWY_ALIGN float lanes[kLanes];
  hn::Store(v, F32(), lanes);
  return *std::max_element(lanes, lanes + kLanes);
#else
  return hn::GetLane(hn::MaxOfLanes(F32(), v));
#endif
}

// What the formats of single elements share. A span is two vectors: one per accumulator of a dot
// product.
template <typename Self, std::size_t kElementBytes>
struct PlainFormat {
  static constexpr bool kBlocks = false;
  static constexpr std::size_t kBytes = kElementBytes;
  static constexpr std::size_t kSpan = 2 * kLanes;
  static constexpr std::size_t kSpanBytes = kSpan * kBytes;

  explicit HWY_INLINE PlainFormat(const std::uint8_t* p) : p_(p) {}
  HWY_INLINE V vector(std::size_t v) const { return Self::load(p_ + v * kLanes * kBytes); }

 private:
  const std::uint8_t* p_;
};

struct FormatF32 : PlainFormat<FormatF32, 4> {
  explicit HWY_INLINE FormatF32(const std::uint8_t* p) : PlainFormat(p) {}
  static HWY_INLINE V load(const std::uint8_t* p) {
    return hn::LoadU(F32(), reinterpret_cast<const float*>(p));
  }
};

struct FormatF16 : PlainFormat<FormatF16, 2> {
  explicit HWY_INLINE FormatF16(const std::uint8_t* p) : PlainFormat(p) {}
  static HWY_INLINE V load(const std::uint8_t* p) {
    return f32_from_f16(hn::LoadU(U16(), reinterpret_cast<const std::uint16_t*>(p)));
  }
};

struct FormatBF16 : PlainFormat<FormatBF16, 2> {
  explicit HWY_INLINE FormatBF16(const std::uint8_t* p) : PlainFormat(p) {}
  static HWY_INLINE V load(const std::uint8_t* p) {
    return f32_from_bf16(hn::LoadU(U16(), reinterpret_cast<const std::uint16_t*>(p)));
  }
};

// Bytes of n elements of a row. PRECONDITION of blocks: n is a multiple of kSpan.
template <typename Format>
constexpr std::size_t stored_bytes(std::size_t n) {
  if constexpr (Format::kBlocks) {
    return n / Format::kSpan * Format::kSpanBytes;
  } else {
    return n * Format::kBytes;
  }
}

// Elements [k, k + kLanes) of the row at p. PRECONDITION: k is a multiple of kLanes.
template <typename Format>
HWY_INLINE V row_vector(const std::uint8_t* p, std::size_t k) {
  if constexpr (Format::kBlocks) {
    return Format(p + k / Format::kSpan * Format::kSpanBytes).vector(k % Format::kSpan / kLanes);
  } else {
    return Format::load(p + k * Format::kBytes);
  }
}

// Products of an f16 scale (11 bits) and a small integer (8 bits) are exact in f32.
struct FormatQ8_0 {
  static constexpr bool kBlocks = true;
  static constexpr std::size_t kSpan = kQuantBlock;
  static constexpr std::size_t kSpanBytes = block_bytes(DType::kQ8_0);

  explicit HWY_INLINE FormatQ8_0(const std::uint8_t* p) : scale_(broadcast_f16(p)), p_(p + 2) {}
  HWY_INLINE V vector(std::size_t v) const {
    const auto q = hn::LoadU(I8(), reinterpret_cast<const std::int8_t*>(p_) + v * kLanes);
    return hn::Mul(hn::ConvertTo(F32(), hn::PromoteTo(I32(), q)), scale_);
  }

 private:
  V scale_;
  const std::uint8_t* p_;
};

struct FormatQ4_0 {
  static constexpr bool kBlocks = true;
  static constexpr std::size_t kSpan = kQuantBlock;
  static constexpr std::size_t kSpanBytes = block_bytes(DType::kQ4_0);

  explicit HWY_INLINE FormatQ4_0(const std::uint8_t* p) : scale_(broadcast_f16(p)), p_(p + 2) {}
  HWY_INLINE V vector(std::size_t v) const {
    constexpr std::size_t kHalf = kQuantBlock / 2 / kLanes;  // vectors held by the low nibbles
    const auto bytes =
        hn::PromoteTo(I32(), hn::LoadU(U8(), p_ + (v < kHalf ? v : v - kHalf) * kLanes));
    const auto nibble = v < kHalf ? hn::And(bytes, hn::Set(I32(), 15)) : hn::ShiftRight<4>(bytes);
    return hn::Mul(hn::ConvertTo(F32(), hn::Sub(nibble, hn::Set(I32(), 8))), scale_);
  }

 private:
  V scale_;
  const std::uint8_t* p_;
};

HWY_INLINE hn::Vec<I32> load_bytes(const std::uint8_t* p) {
  return hn::PromoteTo(I32(), hn::LoadU(U8(), p));
}

// What q4_k and q5_k share: d * scale * q - minimum_d * minimum, whose products are exact.
template <typename Self, DType kType>
struct FormatWithMinimum {
  static constexpr bool kBlocks = true;
  static constexpr std::size_t kSpan = kKBlock;
  static constexpr std::size_t kSpanBytes = block_bytes(kType);

  explicit HWY_INLINE FormatWithMinimum(const std::uint8_t* p)
      : d_(broadcast_f16(p)), minimum_d_(broadcast_f16(p + kKMinimumAt)), p_(p) {}
  HWY_INLINE V vector(std::size_t v) const {
    const std::size_t k = v * kLanes;
    const KScale s = k_scale(p_, k / 32);
    const V scale = hn::Mul(d_, hn::Set(F32(), static_cast<float>(s.scale)));
    const V minimum = hn::Mul(minimum_d_, hn::Set(F32(), static_cast<float>(s.minimum)));
    return hn::Sub(hn::Mul(scale, hn::ConvertTo(F32(), Self::values(p_, k))), minimum);
  }

 protected:
  // kLanes nibbles from element k on; 64 elements share 32 bytes.
  static HWY_INLINE hn::Vec<I32> nibbles(const std::uint8_t* p, std::size_t k) {
    const auto bytes = load_bytes(p + k / 64 * 32 + k % 32);
    return k % 64 < 32 ? hn::And(bytes, hn::Set(I32(), 15)) : hn::ShiftRight<4>(bytes);
  }

 private:
  V d_, minimum_d_;
  const std::uint8_t* p_;
};

struct FormatQ4_K : FormatWithMinimum<FormatQ4_K, DType::kQ4_K> {
  explicit HWY_INLINE FormatQ4_K(const std::uint8_t* p) : FormatWithMinimum(p) {}
  static HWY_INLINE hn::Vec<I32> values(const std::uint8_t* p, std::size_t k) {
    return nibbles(p + kQ4KNibblesAt, k);
  }
};

struct FormatQ5_K : FormatWithMinimum<FormatQ5_K, DType::kQ5_K> {
  explicit HWY_INLINE FormatQ5_K(const std::uint8_t* p) : FormatWithMinimum(p) {}
  static HWY_INLINE hn::Vec<I32> values(const std::uint8_t* p, std::size_t k) {
    const auto bits = load_bytes(p + kQ5KBitsAt + k % 32);
    const auto bit = hn::And(hn::ShiftRightSame(bits, static_cast<int>(k / 32)), hn::Set(I32(), 1));
    return hn::Or(nibbles(p + kQ5KNibblesAt, k), hn::ShiftLeft<4>(bit));
  }
};

struct FormatQ6_K {
  static constexpr bool kBlocks = true;
  static constexpr std::size_t kSpan = kKBlock;
  static constexpr std::size_t kSpanBytes = block_bytes(DType::kQ6_K);

  explicit HWY_INLINE FormatQ6_K(const std::uint8_t* p)
      : d_(broadcast_f16(p + kQ6KScaleAt)), p_(p) {}
  HWY_INLINE V vector(std::size_t v) const {
    const std::size_t k = v * kLanes;
    const std::size_t quarter = k % 128 / 32;
    const auto bytes = load_bytes(p_ + k / 128 * 64 + quarter % 2 * 32 + k % 32);
    const auto low = quarter < 2 ? hn::And(bytes, hn::Set(I32(), 15)) : hn::ShiftRight<4>(bytes);
    const auto bits = hn::ShiftRightSame(load_bytes(p_ + kQ6KBitsAt + k / 128 * 32 + k % 32),
                                         static_cast<int>(2 * quarter));
    const auto high = hn::ShiftLeft<4>(hn::And(bits, hn::Set(I32(), 3)));
    const auto q = hn::Sub(hn::Or(low, high), hn::Set(I32(), 32));
    const V scale = hn::Mul(d_, hn::Set(F32(), static_cast<float>(q6_k_scale(p_, k / 16))));
    return hn::Mul(scale, hn::ConvertTo(F32(), q));
  }

 private:
  V d_;
  const std::uint8_t* p_;
};

}  // namespace HWY_NAMESPACE
}  // namespace laconic
HWY_AFTER_NAMESPACE();

#endif  // per target
