// SPDX-License-Identifier: Apache-2.0
#include "model/random_blocks.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstring>

#include "base/half.h"
#include "base/mix.h"
#include "kernels/k_quants.h"

namespace laconic {
namespace {

// Of whole numbers drawn evenly from first to last.
double mean_of(double first, double last) { return (first + last) / 2; }
double mean_square_of(double first, double last) {
  const double count = last - first + 1;
  return std::pow(mean_of(first, last), 2) + (count * count - 1) / 12;
}

// The f16 scales of a block: d, and how many d the minimum's scale is.
struct Scales {
  double d, minimum;
};

// A weight is d * scale * q - minimum_d * minimum with even 6-bit scales and minima. Where
// minimum_d is d times the mean of q, the mean is 0, and the deviation over d is the root of
// E[s^2] E[q^2] - 2 E[s]^2 E[q]^2 + E[q]^2 E[s^2].
Scales scales_with_minimum(double largest, double deviation) {
  const double q = mean_of(0, largest), s = mean_of(0, 63);
  const double q2 = mean_square_of(0, largest), s2 = mean_square_of(0, 63);
  return {deviation / std::sqrt(s2 * (q2 + q * q) - 2 * s * s * q * q), q};
}

Scales scales_of(DType type, double deviation) {
  if (type == DType::kQ4_K) return scales_with_minimum(15, deviation);
  if (type == DType::kQ5_K) return scales_with_minimum(31, deviation);
  assert(type == DType::kQ6_K);
  return {deviation / std::sqrt(mean_square_of(-128, 127) * mean_square_of(-32, 31)), 0};
}

void store_f16(double value, std::byte* out) {
  const std::uint16_t half = f16_from_float(static_cast<float>(value));
  std::memcpy(out, &half, sizeof(half));
}

}  // namespace

void random_blocks(std::uint64_t key, DType type, float deviation, std::span<std::byte> out) {
  assert(out.size() % block_bytes(type) == 0);
  for (std::size_t i = 0; i < out.size(); i += sizeof(key)) {
    const std::uint64_t bits = mix_bits(key + (i / sizeof(key) + 1) * kMixStep);
    std::memcpy(out.data() + i, &bits, std::min(sizeof(bits), out.size() - i));
  }
  const Scales scales = scales_of(type, static_cast<double>(deviation));
  for (std::size_t at = 0; at < out.size(); at += block_bytes(type)) {
    std::byte* block = out.data() + at;
    if (type == DType::kQ6_K) {
      store_f16(scales.d, block + kQ6KScaleAt);
    } else {
      store_f16(scales.d, block);
      store_f16(scales.d * scales.minimum, block + kKMinimumAt);
    }
  }
}

}  // namespace laconic
