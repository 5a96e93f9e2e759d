// SPDX-License-Identifier: Apache-2.0
#include "eval/grade.h"

#include <array>
#include <utility>
#include <vector>

#include "eval/number.h"

namespace laconic {
namespace {

constexpr std::string_view kThinkEnd = "</think>";
constexpr std::string_view kBox = "\\boxed{";
constexpr std::string_view kMark = "####";

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_word(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == ')';
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
}

// Index after the brace that closes the one at `open`; npos when none does.
std::size_t after_group(std::string_view text, std::size_t open) {
  std::size_t depth = 0;
  for (std::size_t i = open; i < text.size(); ++i) {
    if (text[i] == '{') ++depth;
    if (text[i] == '}' && --depth == 0) return i + 1;
  }
  return std::string_view::npos;
}

std::string_view inside_group(std::string_view text, std::size_t open, std::size_t end) {
  return text.substr(open + 1, end - open - 2);
}

// \frac{a}{b} as a/b.
void unfold_fractions(std::string& text) {
  for (std::size_t at = 0; (at = text.find("\\frac{", at)) != std::string::npos;) {
    const std::size_t upper = at + 5, lower = after_group(text, upper);
    if (lower == std::string::npos || lower >= text.size() || text[lower] != '{') return;
    const std::size_t end = after_group(text, lower);
    if (end == std::string::npos) return;
    const std::string flat = std::string(inside_group(text, upper, lower)) + "/" +
                             std::string(inside_group(text, lower, end));
    text.replace(at, end - at, flat);
  }
}

// Separators, signs and TeX spacing that say nothing about the value.
std::string plain(std::string_view answer) {
  std::string text(answer);
  constexpr std::array<std::pair<std::string_view, std::string_view>, 15> kSpellings = {{
      {"\\dfrac", "\\frac"},
      {"\\tfrac", "\\frac"},
      {"{,}", ","},
      {"\\,", ""},
      {"\\!", ""},
      {"\\;", " "},
      {"\\ ", " "},
      {"~", " "},
      {"\xe2\x88\x92", "-"},  // U+2212, the minus of typesetters
      {"\\$", ""},
      {"$", ""},
      {"\xe2\x82\xac", ""},  // euro
      {"\xc2\xa3", ""},      // pound
      {"\\%", ""},
      {"%", ""},
  }};
  for (const auto& [from, to] : kSpellings) replace_all(text, from, to);
  unfold_fractions(text);
  return std::string(trimmed(text));
}

struct Found {
  std::string number;
  std::size_t end = 0;
};

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

// The number that begins at `at`, a digit or the point before one.
Found number_at(std::string_view text, std::size_t at) {
  Found found;
  // "10-3" is a difference, "= -3" a negative number.
  const bool minus = at > 0 && text[at - 1] == '-';
  if (minus && (at == 1 || !is_word(text[at - 2]))) found.number = "-";
  found.end = append_magnitude(text, at, found.number);
  const std::size_t slash = found.end;
  if (slash + 1 < text.size() && text[slash] == '/' && is_digit(text[slash + 1])) {
    found.number += '/';
    found.end = append_magnitude(text, slash + 1, found.number);
  }
  return found;
}

std::vector<std::string> numbers_in(std::string_view text) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < text.size();) {
    const bool point = text[i] == '.' && i + 1 < text.size() && is_digit(text[i + 1]);
    if (!is_digit(text[i]) && !point) {
      ++i;
      continue;
    }
    Found found = number_at(text, i);
    out.push_back(std::move(found.number));
    i = found.end;
  }
  return out;
}

// A box's or a line's content as the answer that it says.
std::optional<std::string> answer_in(std::string_view content) {
  std::string text = plain(content);
  while (!text.empty() && text.back() == '.') text.pop_back();
  if (text.empty()) return std::nullopt;
  std::vector<std::string> numbers = numbers_in(text);
  if (numbers.size() == 1) return std::move(numbers.front());
  return text;
}

std::optional<std::string> last_box(std::string_view text) {
  for (std::size_t at = text.rfind(kBox); at != std::string_view::npos;
       at = at == 0 ? std::string_view::npos : text.rfind(kBox, at - 1)) {
    const std::size_t open = at + kBox.size() - 1, end = after_group(text, open);
    if (end == std::string_view::npos) continue;
    if (auto answer = answer_in(inside_group(text, open, end))) return answer;
  }
  return std::nullopt;
}

std::optional<std::string> after_mark(std::string_view text) {
  const std::size_t at = text.rfind(kMark);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view rest = text.substr(at + kMark.size());
  return answer_in(rest.substr(0, rest.find('\n')));
}

}  // namespace

std::string_view graded_part(std::string_view text) {
  const std::size_t end = text.find(kThinkEnd);
  return end == std::string_view::npos ? text : text.substr(end + kThinkEnd.size());
}

std::optional<std::string> extract_answer(std::string_view text) {
  if (auto answer = last_box(text)) return answer;
  if (auto answer = after_mark(text)) return answer;
  std::vector<std::string> numbers = numbers_in(plain(text));
  if (numbers.empty()) return std::nullopt;
  return std::move(numbers.back());
}

bool is_number(std::string_view text) { return parse_rational(trimmed(text)).has_value(); }

bool same_answer(std::string_view answer, std::string_view gold) {
  answer = trimmed(answer);
  gold = trimmed(gold);
  const auto a = parse_rational(answer), b = parse_rational(gold);
  return a && b ? equal(*a, *b) : answer == gold;
}

}  // namespace laconic
