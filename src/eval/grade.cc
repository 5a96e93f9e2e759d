// SPDX-License-Identifier: Apache-2.0
#include "eval/grade.h"

#include <utility>
#include <vector>

#include "eval/answer_text.h"
#include "eval/number.h"
#include "eval/written_number.h"

namespace laconic {
namespace {

constexpr std::string_view kThinkEnd = "</think>";
constexpr std::string_view kBox = "\\boxed{";
constexpr std::string_view kMark = "####";

// A box's content as the answer that it says.
std::optional<std::string> answer_in(std::string_view content) {
  std::string text = plain_answer(content);
  if (auto number = number_said(text, Before::kName)) return number;
  while (!text.empty() && text.back() == '.') text.pop_back();
  if (text.empty()) return std::nullopt;
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

}  // namespace

std::string_view graded_part(std::string_view text) {
  const std::size_t end = text.find(kThinkEnd);
  return end == std::string_view::npos ? text : text.substr(end + kThinkEnd.size());
}

std::optional<std::string> marked_answer(std::string_view text) {
  const std::size_t at = text.rfind(kMark);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view rest = text.substr(at + kMark.size());
  return number_said(plain_answer(rest.substr(0, rest.find('\n'))), Before::kNothing);
}

std::optional<std::string> extract_answer(std::string_view text) {
  if (auto answer = last_box(text)) return answer;
  if (auto answer = marked_answer(text)) return answer;
  std::vector<std::string> numbers = numbers_in(plain_answer(text));
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
