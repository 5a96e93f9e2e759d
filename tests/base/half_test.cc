// SPDX-License-Identifier: Apache-2.0
// The two 16-bit floats: every value of the format comes back, and rounding is to nearest even.
#include "base/half.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <limits>

namespace laconic {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

TEST(Half, EveryF16ValueComesBack) {
  for (std::uint32_t i = 0; i < 0x10000; ++i) {
    const auto bits = static_cast<std::uint16_t>(i);
    const float value = float_from_f16(bits);
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(float_from_f16(f16_from_float(value)))) << i;
    } else {
      EXPECT_EQ(f16_from_float(value), bits) << i;
    }
  }
}

TEST(Half, EveryBf16ValueComesBack) {
  for (std::uint32_t i = 0; i < 0x10000; ++i) {
    const auto bits = static_cast<std::uint16_t>(i);
    const float value = float_from_bf16(bits);
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(float_from_bf16(bf16_from_float(value)))) << i;
    } else {
      EXPECT_EQ(bf16_from_float(value), bits) << i;
    }
  }
}

// The finite value of a 16-bit pattern as a double; the pattern after the largest finite one stands
// for the power of two at which rounding turns to infinity.
double f16_value(std::uint16_t bits) {
  return bits == 0x7c00 ? 65536.0 : static_cast<double>(float_from_f16(bits));
}
double bf16_value(std::uint16_t bits) {
  return bits == 0x7f80 ? std::ldexp(1.0, 128) : static_cast<double>(float_from_bf16(bits));
}

// Nearest of the format's non-negative values by bisection, ties to the even pattern.
template <typename ValueOf>
std::uint16_t nearest(double value, std::uint16_t infinity, ValueOf value_of) {
  std::uint16_t low = 0, high = infinity;
  if (value >= value_of(infinity)) return infinity;
  while (high - low > 1) {
    const auto middle = static_cast<std::uint16_t>((low + high) / 2);
    (value_of(middle) <= value ? low : high) = middle;
  }
  const double below = value - value_of(low), above = value_of(high) - value;
  if (below != above) return below < above ? low : high;
  return low % 2 == 0 ? low : high;
}

float float_of_any_bits() {
  return std::bit_cast<float>(*rc::gen::arbitrary<std::uint32_t>() & 0x7fffffffu);
}

RC_GTEST_PROP(Half, F16RoundsToNearestEven, ()) {
  // Exponents around the format's own range; any bits would mostly be far outside of it.
  const auto exponent = *rc::gen::inRange<std::uint32_t>(127 - 27, 127 + 18);
  const auto mantissa = *rc::gen::inRange<std::uint32_t>(0, 1u << 11);
  const auto tail = *rc::gen::element<std::uint32_t>(0, 1, 0x7ff, 0x800, 0x801, 0xfff);
  const auto value = std::bit_cast<float>((exponent << 23) | (mantissa << 12) | tail);
  const auto expected = nearest(static_cast<double>(value), 0x7c00, f16_value);
  RC_ASSERT(f16_from_float(value) == expected);
  RC_ASSERT(f16_from_float(-value) == (expected | 0x8000));
}

RC_GTEST_PROP(Half, Bf16RoundsToNearestEven, ()) {
  const float value = float_of_any_bits();
  RC_PRE(std::isfinite(value));
  RC_ASSERT(bf16_from_float(value) == nearest(static_cast<double>(value), 0x7f80, bf16_value));
}

TEST(Half, Extremes) {
  EXPECT_EQ(f16_from_float(kInfinity), 0x7c00);
  EXPECT_EQ(f16_from_float(-kInfinity), 0xfc00);
  EXPECT_EQ(f16_from_float(65519.0f), 0x7bff);
  EXPECT_EQ(f16_from_float(65520.0f), 0x7c00);
  EXPECT_EQ(f16_from_float(-0.0f), 0x8000);
  EXPECT_EQ(f16_from_float(0x1p-24f), 0x0001);
  EXPECT_EQ(f16_from_float(0x1p-25f), 0x0000);
  EXPECT_EQ(bf16_from_float(kInfinity), 0x7f80);
  EXPECT_EQ(bf16_from_float(std::numeric_limits<float>::max()), 0x7f80);
  EXPECT_EQ(bf16_from_float(1.0f), 0x3f80);
  // A NaN whose payload is all below the cut must not become infinity.
  EXPECT_TRUE(std::isnan(float_from_bf16(bf16_from_float(std::bit_cast<float>(0x7f800001u)))));
}

}  // namespace
}  // namespace laconic
