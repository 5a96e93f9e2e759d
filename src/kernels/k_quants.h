// SPDX-License-Identifier: Apache-2.0
// ggml's K-quants, one value at a time: 256 weights share f16 scales, and parts of them have small
// integer scales of their own.
//
//   q4_k  f16 d, f16 minimum, 12 bytes of 6-bit scales and minima, 128 bytes of nibbles
//   q5_k  the same with 32 bytes of fifth bits before the nibbles
//   q6_k  128 bytes of nibbles, 64 bytes of upper bits, s8 scales [16], f16 d
//
// A weight is d * scale * q - minimum_d * minimum, with a scale and a minimum for 32 of them; in
// q6_k d * scale * (q - 32), with a scale for 16. The products in it are exact in f32.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/dtype.h"

namespace laconic {

// Places in q4_k and q5_k blocks.
inline constexpr std::size_t kKMinimumAt = 2;
inline constexpr std::size_t kKScalesAt = 4;
inline constexpr std::size_t kQ4KNibblesAt = 16;
inline constexpr std::size_t kQ5KBitsAt = 16;
inline constexpr std::size_t kQ5KNibblesAt = 48;
// Places in a q6_k block.
inline constexpr std::size_t kQ6KBitsAt = 128;
inline constexpr std::size_t kQ6KScalesAt = 192;
inline constexpr std::size_t kQ6KScaleAt = 208;

struct KScale {
  std::uint8_t scale, minimum;  // below 64
};

// Of 32 weights of a q4_k or q5_k block. The first four have 6 bits of a byte each for scale and
// minimum; the others 4 bits of one byte, and their upper bits in what the first four leave.
inline KScale k_scale(const std::uint8_t* block, std::size_t part) {
  const std::uint8_t* s = block + kKScalesAt;
  const auto byte = [](int value) { return static_cast<std::uint8_t>(value); };
  if (part < 4) return {byte(s[part] & 63), byte(s[part + 4] & 63)};
  return {byte((s[part + 4] & 15) | (s[part - 4] >> 6 << 4)),
          byte((s[part + 4] >> 4) | (s[part] >> 6 << 4))};
}

// Nibbles of 64 weights lie in 32 bytes: the first 32 weights in the lower halves.
inline unsigned k_nibble(const std::uint8_t* nibbles, std::size_t k) {
  return (static_cast<unsigned>(nibbles[k / 64 * 32 + k % 32]) >> (k % 64 / 32 * 4)) & 15u;
}

inline unsigned q4_k_value(const std::uint8_t* block, std::size_t k) {
  return k_nibble(block + kQ4KNibblesAt, k);
}

inline unsigned q5_k_value(const std::uint8_t* block, std::size_t k) {
  const unsigned bit = (static_cast<unsigned>(block[kQ5KBitsAt + k % 32]) >> (k / 32)) & 1u;
  return k_nibble(block + kQ5KNibblesAt, k) | bit << 4;
}

// Of 128 weights, quarters 0 and 2 share bytes, as do 1 and 3; all four share the upper bits' byte.
inline unsigned q6_k_value(const std::uint8_t* block, std::size_t k) {
  const std::size_t quarter = k % 128 / 32;
  const unsigned nibbles = block[k / 128 * 64 + quarter % 2 * 32 + k % 32];
  const unsigned upper = block[kQ6KBitsAt + k / 128 * 32 + k % 32];
  return ((nibbles >> (quarter / 2 * 4)) & 15u) | ((upper >> (2 * quarter)) & 3u) << 4;
}

inline std::int8_t q6_k_scale(const std::uint8_t* block, std::size_t part) {
  return static_cast<std::int8_t>(block[kQ6KScalesAt + part]);
}

}  // namespace laconic
