// SPDX-License-Identifier: Apache-2.0
#include "eval/written_number.h"

#include <cstddef>
#include <utility>

#include "base/utf8.h"
#include "eval/answer_text.h"

namespace laconic {
namespace {

constexpr std::size_t kNowhere = std::string_view::npos;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_word(char c) { return is_digit(c) || is_letter(c) || c == ')'; }

bool begins_number(std::string_view text, std::size_t at) {
  if (at >= text.size()) return false;
  return is_digit(text[at]) || (text[at] == '.' && at + 1 < text.size() && is_digit(text[at + 1]));
}

std::size_t skip_digits(std::string_view text, std::size_t at) {
  while (at < text.size() && is_digit(text[at])) ++at;
  return at;
}

// Digits from `at` on, with commas between groups of three, then a decimal part.
std::size_t append_magnitude(std::string_view text, std::size_t at, std::string& out) {
  std::size_t end = skip_digits(text, at);
  out.append(text.substr(at, end - at));
  if (end - at >= 1 && end - at <= 3) {
    while (end < text.size() && text[end] == ',' && skip_digits(text, end + 1) == end + 4) {
      out.append(text.substr(end + 1, 3));
      end += 4;
    }
  }
  const std::size_t fraction = end + 1;
  if (end < text.size() && text[end] == '.' && skip_digits(text, fraction) > fraction) {
    const std::size_t stop = skip_digits(text, fraction);
    out.append(text.substr(end, stop - end));
    end = stop;
  }
  return end;
}

// The number that begins at `at`, a digit or the point before one, and its denominator.
std::size_t append_number(std::string_view text, std::size_t at, std::string& out) {
  const std::size_t end = append_magnitude(text, at, out);
  if (end + 1 >= text.size() || text[end] != '/' || !is_digit(text[end + 1])) return end;
  out += '/';
  return append_magnitude(text, end + 1, out);
}

// "10-3" is a difference, "= -3" a negative number.
bool has_minus(std::string_view text, std::size_t at) {
  return at > 0 && text[at - 1] == '-' && (at == 1 || !is_word(text[at - 2]));
}

// Letters of the alphabets that units are written in, and what stands behind them; Greek is
// mathematics, as are all signs.
bool is_unit_letter(char32_t c) {
  if (c < 0x80) return is_letter(static_cast<char>(c));
  const bool mark = c == 0xb0 || c == 0xb2 || c == 0xb3;  // degree, square, cube
  const bool latin = c >= 0xc0 && c < 0x370 && c != 0xd7 && c != 0xf7;
  const bool other = (c >= 0x400 && c < 0x2000) || (c >= 0x3040 && c < 0xd800);
  return mark || latin || other;
}

// Words, and points inside or behind them: "km", " p.m".
bool is_unit(std::string_view text) {
  bool in_word = false;
  while (!text.empty()) {
    const CodePoint next = decode_utf8(text);
    const bool letter = is_unit_letter(next.value);
    const bool joint = in_word && (text.front() == '.' || text.front() == '\'');
    if (!letter && !joint && text.front() != ' ') return false;
    in_word = letter;
    text.remove_prefix(next.length);
  }
  return true;
}

// What may stand before "=" or ":" when the number after it is the answer.
bool is_name(std::string_view text) {
  return text.find_first_of("0123456789+-*/^<>|!") == std::string_view::npos;
}

bool is_enclosed(std::string_view text) {
  if (text.size() < 2) return false;
  const char first = text.front(), last = text.back();
  return (first == '(' && last == ')') || (first == '{' && last == '}') ||
         (first == '*' && last == '*');
}

}  // namespace

std::vector<std::string> numbers_in(std::string_view text) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < text.size();) {
    if (!begins_number(text, i)) {
      ++i;
      continue;
    }
    std::string number = has_minus(text, i) ? "-" : "";
    i = append_number(text, i, number);
    out.push_back(std::move(number));
  }
  return out;
}

std::optional<std::string> number_said(std::string_view text, Before before) {
  const std::string bare = without_text_groups(text);
  std::string_view rest = bare;
  const std::size_t named = before == Before::kName ? rest.find_last_of("=:") : kNowhere;
  if (named != kNowhere) {
    if (!is_name(rest.substr(0, named))) return std::nullopt;
    rest.remove_prefix(named + 1);
  }
  std::string sign;
  for (;;) {
    rest = trimmed(rest);
    while (!rest.empty() && rest.back() == '.') rest.remove_suffix(1);
    if (is_enclosed(rest)) {
      rest = rest.substr(1, rest.size() - 2);
    } else if (sign.empty() && !rest.empty() && (rest.front() == '-' || rest.front() == '+')) {
      sign = rest.substr(0, 1);
      rest.remove_prefix(1);
    } else {
      break;
    }
  }
  if (!begins_number(rest, 0)) return std::nullopt;
  std::string number = sign == "-" ? "-" : "";
  const std::size_t end = append_number(rest, 0, number);
  if (!is_unit(rest.substr(end))) return std::nullopt;
  return number;
}

}  // namespace laconic
