// SPDX-License-Identifier: Apache-2.0
#include "eval/answer_text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <optional>
#include <utility>

namespace laconic {
namespace {

constexpr std::string_view kFraction = "\\frac";
constexpr std::string_view kDigits = "0123456789";
constexpr std::string_view kEnDash = "\xe2\x80\x93";

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
}

// Between numbers an en dash is a range; in front of one it is a minus.
void unfold_dashes(std::string& text) {
  for (std::size_t at = 0; (at = text.find(kEnDash, at)) != std::string::npos; ++at) {
    const std::size_t next = at + kEnDash.size();
    if (next < text.size() && is_digit(text[next])) text.replace(at, kEnDash.size(), "-");
  }
}

struct Argument {
  std::string text;
  std::size_t end = 0;
};

// What TeX takes as an argument at `at`: a group, or one digit.
std::optional<Argument> argument_at(std::string_view text, std::size_t at) {
  at = text.find_first_not_of(' ', at);
  if (at == std::string_view::npos) return std::nullopt;
  if (is_digit(text[at])) return Argument{std::string(text.substr(at, 1)), at + 1};
  if (text[at] != '{') return std::nullopt;
  const std::size_t end = after_group(text, at);
  if (end == std::string_view::npos) return std::nullopt;
  return Argument{std::string(inside_group(text, at, end)), end};
}

// A whole number that is small enough to calculate with.
std::optional<std::int64_t> small_number(std::string_view text) {
  constexpr std::size_t kMostDigits = 9;
  std::int64_t value = 0;
  if (text.empty() || text.size() > kMostDigits || !is_digit(text[0])) return std::nullopt;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// The digits right before `at`, spaces between, when they are a number of their own.
std::string_view whole_part(std::string_view text, std::size_t at) {
  const std::size_t last = text.substr(0, at).find_last_not_of(' ');
  if (last == std::string_view::npos || !is_digit(text[last])) return {};
  const std::size_t before = text.substr(0, last).find_last_not_of(kDigits);
  const std::size_t begin = before == std::string_view::npos ? 0 : before + 1;
  constexpr std::string_view kParts = ".,/^_";
  const bool part = begin > 0 && kParts.find(text[begin - 1]) != std::string_view::npos;
  if (part || (begin > 0 && is_letter(text[begin - 1]))) return {};
  return text.substr(begin, last + 1 - begin);
}

// `whole` and upper/lower as one fraction, where they are a mixed number.
std::optional<std::string> mixed_number(std::string_view whole, std::string_view upper,
                                        std::string_view lower) {
  const auto w = small_number(whole), a = small_number(upper), b = small_number(lower);
  if (!w || !a || !b || *a >= *b) return std::nullopt;
  return std::to_string(*w * *b + *a) + "/" + std::to_string(*b);
}

// \frac{a}{b} as a/b. No digit beside it may become part of it.
void unfold_fractions(std::string& text) {
  for (std::size_t at = 0; (at = text.find(kFraction, at)) != std::string::npos;) {
    const auto upper = argument_at(text, at + kFraction.size());
    const auto lower = upper ? argument_at(text, upper->end) : std::nullopt;
    if (!lower) {
      at += kFraction.size();
      continue;
    }
    const std::string_view whole = whole_part(text, at);
    const auto mixed = mixed_number(whole, upper->text, lower->text);
    std::string flat = mixed.value_or(upper->text + "/" + lower->text);
    if (lower->end < text.size() && (is_digit(text[lower->end]) || text[lower->end] == '.')) {
      flat += ' ';
    }
    if (!mixed && at > 0 && (is_digit(text[at - 1]) || text[at - 1] == '.')) flat.insert(0, " ");
    if (mixed) at = static_cast<std::size_t>(whole.data() - text.data());
    text.replace(at, lower->end - at, flat);
  }
}

}  // namespace

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

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

std::string plain_answer(std::string_view answer) {
  std::string text(answer);
  constexpr std::array<std::pair<std::string_view, std::string_view>, 20> kSpellings = {{
      {"\\dfrac", "\\frac"}, {"\\tfrac", "\\frac"},
      {"\\left(", "("},      {"\\right)", ")"},
      {"{,}", ","},          {"\\,", ""},
      {"\\!", ""},           {"\\;", " "},
      {"\\ ", " "},          {"~", " "},
      {"\xe2\x88\x92", "-"},  // U+2212, the minus of typesetters
      {"\\$", ""},           {"$", ""},
      {"\xe2\x82\xac", ""},  // euro
      {"\xc2\xa3", ""},      // pound
      {"\\%", ""},           {"%", ""},
      {"^\\circ", ""},       {"^{\\circ}", ""},
      {"\\degree", ""},
  }};
  for (const auto& [from, to] : kSpellings) replace_all(text, from, to);
  unfold_dashes(text);
  unfold_fractions(text);
  return std::string(trimmed(text));
}

std::string without_text_groups(std::string_view answer) {
  constexpr std::array<std::string_view, 7> kMacros = {
      "\\text{", "\\textbf{", "\\textit{", "\\textrm{", "\\mathrm{", "\\mathbf{", "\\mbox{"};
  std::string text(answer);
  for (const std::string_view macro : kMacros) {
    for (std::size_t at = 0; (at = text.find(macro, at)) != std::string::npos;) {
      const std::size_t open = at + macro.size() - 1, end = after_group(text, open);
      if (end == std::string::npos) break;
      const std::string inside(inside_group(text, open, end));
      const bool number = inside.find_first_of(kDigits) != std::string::npos;
      const bool names = !number && std::any_of(inside.begin(), inside.end(), is_letter);
      text.replace(at, end - at, names ? " " : " " + inside + " ");
    }
  }
  return text;
}

}  // namespace laconic
