// SPDX-License-Identifier: Apache-2.0
// The part of jinja_text.h that turns numbers into text and back as Python does.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "text/jinja_text.h"

namespace laconic::jinja {
namespace {

// Digits with single underscores between them, as Python's int() and float() read them; the
// underscores taken out. Nothing when one stands elsewhere.
std::optional<std::string> without_underscores(std::string_view text) {
  const auto digit = [&](std::size_t i) {
    return i < text.size() && text[i] >= '0' && text[i] <= '9';
  };
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '_') {
      out += text[i];
    } else if (i == 0 || !digit(i - 1) || !digit(i + 1)) {
      return std::nullopt;
    }
  }
  return out;
}

}  // namespace

std::string float_repr(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  char buffer[40];
  const auto end =
      std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific);
  const std::string_view text(buffer, static_cast<std::size_t>(end.ptr - buffer));
  const std::size_t e = text.find('e');
  std::string digits;
  for (const char c : text.substr(0, e)) {
    if (c >= '0' && c <= '9') digits += c;
  }
  int exponent = 0;
  std::string_view power = text.substr(e + 1);
  if (power[0] == '+') power.remove_prefix(1);
  std::from_chars(power.data(), power.data() + power.size(), exponent);
  std::string out = std::signbit(value) ? "-" : "";
  const int count = static_cast<int>(digits.size());
  // Python writes an exponent below 1e-4 and from 1e16.
  if (exponent < -4 || exponent >= 16) {
    out += digits[0];
    if (count > 1) out.append(".").append(digits, 1);
    const int size = std::abs(exponent);
    out.append(exponent < 0 ? "e-" : "e+")
        .append(size < 10 ? "0" : "")
        .append(std::to_string(size));
  } else if (exponent < 0) {
    out.append("0.").append(static_cast<std::size_t>(-exponent - 1), '0').append(digits);
  } else if (count <= exponent + 1) {
    out.append(digits).append(static_cast<std::size_t>(exponent + 1 - count), '0').append(".0");
  } else {
    const auto whole = static_cast<std::size_t>(exponent + 1);
    out.append(digits, 0, whole).append(".").append(digits, whole);
  }
  return out;
}

std::optional<std::int64_t> parse_integer(std::string_view text) {
  const auto plain = without_underscores(strip(text, std::nullopt, {}));
  if (!plain || plain->empty()) return std::nullopt;
  const char* first = plain->data();
  const char* last = first + plain->size();
  if (*first == '+') {
    ++first;
    if (first == last || *first == '-') return std::nullopt;
  }
  std::int64_t value = 0;
  const auto result = std::from_chars(first, last, value);
  if (result.ec != std::errc() || result.ptr != last) return std::nullopt;
  return value;
}

std::optional<double> parse_float(std::string_view text) {
  const auto plain = without_underscores(strip(text, std::nullopt, {}));
  if (!plain || plain->empty()) return std::nullopt;
  const char* first = plain->data();
  const char* last = first + plain->size();
  if (*first == '+') {
    ++first;
    if (first == last || *first == '-') return std::nullopt;
  }
  double value = 0;
  const auto result = std::from_chars(first, last, value);
  if (result.ptr != last || plain->find('(') != std::string::npos) return std::nullopt;
  if (result.ec == std::errc::result_out_of_range) return std::strtod(first, nullptr);
  if (result.ec != std::errc()) return std::nullopt;
  return value;
}

}  // namespace laconic::jinja
