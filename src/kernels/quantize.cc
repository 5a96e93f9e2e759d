// SPDX-License-Identifier: Apache-2.0
#include "kernels/quantize.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

#include "base/half.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/quantize.cc"
#include "kernels/simd_targets.h"
// Before the per-target headers.
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "kernels/widen-inl.h"

HWY_BEFORE_NAMESPACE();
namespace laconic {
namespace HWY_NAMESPACE {

inline constexpr std::size_t kBlockVectors = kQuantBlock / kLanes;

// The steps of f16_from_float (base/half.cc) on vectors: the same bits on every target.
HWY_INLINE hn::Vec<U16> f16_from_f32(V value) {
  const U32 d;
  const auto bits = hn::BitCast(d, value);
  const auto sign = hn::And(hn::ShiftRight<16>(bits), hn::Set(d, 0x8000));
  const auto magnitude = hn::And(bits, hn::Set(d, 0x7fffffff));
  const auto odd = hn::And(hn::ShiftRight<13>(magnitude), hn::Set(d, 1));
  const auto rounded = hn::Add(hn::Add(magnitude, hn::Set(d, 0xfff)), odd);
  const auto normal = hn::ShiftRight<13>(hn::Sub(rounded, hn::Set(d, 0x38000000)));
  const V aligned = hn::Add(hn::BitCast(F32(), magnitude), hn::Set(F32(), 0.5f));
  const auto subnormal = hn::Sub(hn::BitCast(d, aligned), hn::Set(d, 0x3f000000));
  // Magnitudes are non-negative as signed numbers, whose comparison every target has.
  const auto as_signed = hn::BitCast(I32(), magnitude);
  const auto below = [&](std::int32_t limit) HWY_ATTR {
    return hn::RebindMask(d, hn::Lt(as_signed, hn::Set(I32(), limit)));
  };
  auto half = hn::IfThenElse(below(0x38800000), subnormal, normal);
  half = hn::IfThenElse(below(0x477ff000), half, hn::Set(d, 0x7c00));
  half = hn::IfThenElse(below(0x7f800001), half, hn::Set(d, 0x7e00));
  return hn::TruncateTo(U16(), hn::Or(half, sign));
}

// The steps of bf16_from_float (base/half.h).
HWY_INLINE hn::Vec<U16> bf16_from_f32(V value) {
  const U32 d;
  const auto bits = hn::BitCast(d, value);
  const auto upper = hn::ShiftRight<16>(bits);
  const auto odd = hn::And(upper, hn::Set(d, 1));
  const auto rounded = hn::ShiftRight<16>(hn::Add(hn::Add(bits, hn::Set(d, 0x7fff)), odd));
  const auto quiet = hn::Or(upper, hn::Set(d, 0x40));
  const auto nan = hn::RebindMask(d, hn::IsNaN(value));
  return hn::TruncateTo(U16(), hn::IfThenElse(nan, quiet, rounded));
}

template <bool kF16Output>
HWY_INLINE void narrow_row(const float* in, std::size_t n, std::uint8_t* out) {
  for (std::size_t i = 0; i < n; i += kLanes) {
    const std::size_t count = std::min(kLanes, n - i);
    const V value = count == kLanes ? hn::LoadU(F32(), in + i) : load_partial(in + i, count);
    HWY_ALIGN std::uint16_t narrow[kLanes];
    hn::Store(kF16Output ? f16_from_f32(value) : bf16_from_f32(value), U16(), narrow);
    std::memcpy(out + 2 * i, narrow, 2 * count);
  }
}

HWY_INLINE void store_f16(float value, std::uint8_t* out) {
  const std::uint16_t half = f16_from_float(value);
  std::memcpy(out, &half, sizeof(half));
}

// 1 / d, or 0 where d is 0 or so small that its inverse is infinite.
HWY_INLINE float inverse_or_zero(float d) {
  const float inverse = 1.0f / d;
  return std::isfinite(inverse) ? inverse : 0.0f;
}

// The largest magnitude of a block; NaN when any element is not finite.
HWY_INLINE float block_magnitude(const float* in) {
  const F32 d;
  V largest = hn::Zero(d);
  bool finite = true;
  for (std::size_t v = 0; v < kBlockVectors; ++v) {
    const V x = hn::LoadU(d, in + v * kLanes);
    largest = hn::Max(largest, hn::Abs(x));
    finite = finite && hn::AllTrue(d, hn::IsFinite(x));
  }
  return finite ? max_of_lanes(largest) : std::numeric_limits<float>::quiet_NaN();
}

HWY_INLINE void quantize_q8_0_block(const float* in, std::uint8_t* out) {
  const F32 d;
  const float magnitude = block_magnitude(in);
  const float scale = magnitude / 127.0f;
  store_f16(scale, out);
  if (std::isnan(magnitude)) {
    std::memset(out + 2, 0, kQuantBlock);
    return;
  }
  const V inverse = hn::Set(d, inverse_or_zero(scale));
  for (std::size_t v = 0; v < kBlockVectors; ++v) {
    // Half away from zero, as roundf. Both uses of `scaled` keep compilers from fusing the product.
    const V scaled = hn::Mul(hn::LoadU(d, in + v * kLanes), inverse);
    const V whole = hn::Trunc(scaled);
    const V rest = hn::Abs(hn::Sub(scaled, whole));
    const V away = hn::CopySign(hn::Set(d, 1.0f), scaled);
    const V rounded = hn::Add(whole, hn::IfThenElseZero(hn::Ge(rest, hn::Set(d, 0.5f)), away));
    hn::StoreU(hn::DemoteTo(I8(), hn::ConvertTo(I32(), rounded)), I8(),
               reinterpret_cast<std::int8_t*>(out + 2) + v * kLanes);
  }
}

// The first element of that magnitude, with its sign.
HWY_INLINE float first_of_magnitude(const float* in, float magnitude) {
  if (magnitude == 0) return 0;
  for (std::size_t i = 0; i < kQuantBlock; ++i) {
    if (std::fabs(in[i]) == magnitude) return in[i];
  }
  return magnitude;
}

HWY_INLINE void quantize_q4_0_block(const float* in, std::uint8_t* out) {
  const F32 d;
  const float magnitude = block_magnitude(in);
  const float scale = first_of_magnitude(in, magnitude) / -8.0f;
  store_f16(scale, out);
  if (std::isnan(magnitude)) {
    std::memset(out + 2, 0, kQuantBlock / 2);
    return;
  }
  const V inverse = hn::Set(d, inverse_or_zero(scale));
  HWY_ALIGN std::int32_t q[kQuantBlock];
  for (std::size_t v = 0; v < kBlockVectors; ++v) {
    // The clamp changes no result; it keeps compilers from fusing product and sum, whose separate
    // roundings are part of the format.
    const V scaled = hn::Mul(hn::LoadU(d, in + v * kLanes), inverse);
    const V clamped = hn::Min(hn::Max(scaled, hn::Set(d, -8.0f)), hn::Set(d, 8.0f));
    const auto whole = hn::ConvertTo(I32(), hn::Add(clamped, hn::Set(d, 8.5f)));
    hn::Store(hn::Min(whole, hn::Set(I32(), 15)), I32(), q + v * kLanes);
  }
  for (std::size_t i = 0; i < kQuantBlock / 2; ++i) {
    out[2 + i] = static_cast<std::uint8_t>(q[i] | (q[i + kQuantBlock / 2] << 4));
  }
}

void quantize_kernel(DType type, const float* in, std::size_t n, std::byte* bytes) {
  auto* out = reinterpret_cast<std::uint8_t*>(bytes);
  switch (type) {
    case DType::kF32:
      if (n > 0) std::memcpy(out, in, n * sizeof(float));
      return;
    case DType::kF16:
      return narrow_row<true>(in, n, out);
    case DType::kBF16:
      return narrow_row<false>(in, n, out);
    case DType::kQ8_0:
      for (std::size_t b = 0; b < n / kQuantBlock; ++b) {
        quantize_q8_0_block(in + b * kQuantBlock, out + b * block_bytes(type));
      }
      return;
    case DType::kQ4_0:
      for (std::size_t b = 0; b < n / kQuantBlock; ++b) {
        quantize_q4_0_block(in + b * kQuantBlock, out + b * block_bytes(type));
      }
      return;
    case DType::kQ4_K:
    case DType::kQ5_K:
    case DType::kQ6_K:
      assert(false && "K-quants are only read");
      return;
  }
}

template <typename Format>
HWY_INLINE void widen_row(const std::uint8_t* in, std::size_t n, float* out) {
  const F32 d;
  std::size_t i = 0;
  for (; i + Format::kSpan <= n; i += Format::kSpan, in += Format::kSpanBytes) {
    const Format span(in);
    for (std::size_t v = 0; v < Format::kSpan / kLanes; ++v) {
      hn::StoreU(span.vector(v), d, out + i + v * kLanes);
    }
  }
  if constexpr (!Format::kBlocks) {
    for (; i < n; i += kLanes, in += kLanes * Format::kBytes) {
      const std::size_t count = std::min(kLanes, n - i);
      store_partial(load_partial<Format>(in, count), out + i, count);
    }
  }
}

void dequantize_kernel(DType type, const std::byte* bytes, std::size_t n, float* out) {
  const auto* in = reinterpret_cast<const std::uint8_t*>(bytes);
  switch (type) {
    case DType::kF32:
      return widen_row<FormatF32>(in, n, out);
    case DType::kF16:
      return widen_row<FormatF16>(in, n, out);
    case DType::kBF16:
      return widen_row<FormatBF16>(in, n, out);
    case DType::kQ8_0:
      return widen_row<FormatQ8_0>(in, n, out);
    case DType::kQ4_0:
      return widen_row<FormatQ4_0>(in, n, out);
    case DType::kQ4_K:
      return widen_row<FormatQ4_K>(in, n, out);
    case DType::kQ5_K:
      return widen_row<FormatQ5_K>(in, n, out);
    case DType::kQ6_K:
      return widen_row<FormatQ6_K>(in, n, out);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace laconic
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace laconic {

HWY_EXPORT(quantize_kernel);
HWY_EXPORT(dequantize_kernel);

void quantize_row(DType type, const float* in, std::size_t n, std::byte* out) {
  HWY_DYNAMIC_DISPATCH(quantize_kernel)(type, in, n, out);
}

void dequantize(DType type, const std::byte* in, std::size_t n, float* out) {
  HWY_DYNAMIC_DISPATCH(dequantize_kernel)(type, in, n, out);
}

}  // namespace laconic
#endif  // HWY_ONCE
