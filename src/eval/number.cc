// SPDX-License-Identifier: Apache-2.0
#include "eval/number.h"

#include <algorithm>
#include <vector>

namespace laconic {
namespace {

// Products of fractions cost the square of this; nobody's answer comes near it.
constexpr std::size_t kMostFractionDigits = 1000;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

void normalise(Decimal& value) {
  std::string& digits = value.digits;
  while (value.scale > 0 && !digits.empty() && digits.back() == '0') {
    digits.pop_back();
    --value.scale;
  }
  digits.erase(0, std::min(digits.find_first_not_of('0'), digits.size()));
  if (digits.empty()) value = Decimal{};
}

std::optional<Decimal> parse_decimal(std::string_view text) {
  Decimal out;
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) {
    out.negative = text[0] == '-';
    text.remove_prefix(1);
  }
  bool after_point = false;
  for (const char c : text) {
    if (c == '.' && !after_point) {
      after_point = true;
    } else if (is_digit(c)) {
      out.digits.push_back(c);
      if (after_point) ++out.scale;
    } else {
      return std::nullopt;
    }
  }
  if (out.digits.empty()) return std::nullopt;
  normalise(out);
  return out;
}

Decimal product(const Decimal& a, const Decimal& b) {
  std::vector<unsigned> sums(a.digits.size() + b.digits.size());  // least significant first
  for (std::size_t i = 0; i < a.digits.size(); ++i) {
    for (std::size_t j = 0; j < b.digits.size(); ++j) {
      const auto x = static_cast<unsigned>(a.digits[a.digits.size() - 1 - i] - '0');
      const auto y = static_cast<unsigned>(b.digits[b.digits.size() - 1 - j] - '0');
      sums[i + j] += x * y;
    }
  }
  Decimal out;
  unsigned carry = 0;
  for (const unsigned sum : sums) {
    out.digits.push_back(static_cast<char>('0' + (sum + carry) % 10));
    carry = (sum + carry) / 10;
  }
  std::reverse(out.digits.begin(), out.digits.end());
  out.negative = a.negative != b.negative;
  out.scale = a.scale + b.scale;
  normalise(out);
  return out;
}

}  // namespace

std::optional<Rational> parse_rational(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto numerator = parse_decimal(text.substr(0, slash));
  if (!numerator) return std::nullopt;
  if (slash == std::string_view::npos) return Rational{*numerator, Decimal{false, "1", 0}};
  const auto denominator = parse_decimal(text.substr(slash + 1));
  if (!denominator || denominator->digits.empty()) return std::nullopt;
  if (text.size() > kMostFractionDigits) return std::nullopt;
  return Rational{*numerator, *denominator};
}

bool equal(const Rational& a, const Rational& b) {
  const Decimal one{false, "1", 0};
  if (a.denominator == one && b.denominator == one) return a.numerator == b.numerator;
  return product(a.numerator, b.denominator) == product(b.numerator, a.denominator);
}

}  // namespace laconic
