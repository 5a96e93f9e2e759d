// SPDX-License-Identifier: Apache-2.0
// Scalar conversions of the two 16-bit float formats. Bulk conversions are kernels.
#pragma once

#include <bit>
#include <cstdint>

namespace laconic {

// bfloat16: the upper half of a float; rounds to nearest even, keeps NaN a NaN.
inline std::uint16_t bf16_from_float(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<std::uint16_t>((bits >> 16) | 0x0040u);
  return static_cast<std::uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

inline float float_from_bf16(std::uint16_t value) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(value) << 16);
}

// IEEE binary16, round to nearest even, subnormals kept, overflow becomes infinity.
std::uint16_t f16_from_float(float value);
float float_from_f16(std::uint16_t value);

}  // namespace laconic
