// SPDX-License-Identifier: Apache-2.0
// Numbers as people write them, compared exactly: decimals of any length and fractions of them, as
// digits and never as floating point.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace laconic {

// sign * digits * 10^-scale, without superfluous zeros at either end; zero is "" with scale 0.
struct Decimal {
  bool negative = false;
  std::string digits;     // most significant first
  std::size_t scale = 0;  // how many of the digits stand after the point
  bool operator==(const Decimal&) const = default;
};

struct Rational {
  Decimal numerator, denominator;  // the denominator is not zero
};

// The whole text as "[+-]digits[.digits]", or two of these with "/" between; nothing else.
std::optional<Rational> parse_rational(std::string_view text);

bool equal(const Rational& a, const Rational& b);

}  // namespace laconic
