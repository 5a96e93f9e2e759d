// SPDX-License-Identifier: Apache-2.0
#include "text/reasoning.h"

#include <algorithm>
#include <utility>

namespace laconic {
namespace {

constexpr std::string_view kOpen = "<think>";
constexpr std::string_view kClose = "</think>";
constexpr std::string_view kLineBreaks = "\r\n";
constexpr std::string_view kWhitespace = " \t\r\n";

// Length of the longest end of `text` that `tag` could still grow from.
std::size_t partial_tag(std::string_view text, std::string_view tag) {
  for (std::size_t size = std::min(text.size(), tag.size() - 1); size > 0; --size) {
    if (text.ends_with(tag.substr(0, size))) return size;
  }
  return 0;
}

void drop_leading_breaks(std::string& text) {
  text.erase(0, std::min(text.find_first_not_of(kLineBreaks), text.size()));
}

// Length of `text` without the line breaks at its end.
std::size_t without_trailing_breaks(std::string_view text) {
  return text.find_last_not_of(kLineBreaks) + 1;  // npos + 1 is 0
}

}  // namespace

ReasoningParser::ReasoningParser(bool inside) : state_(inside ? State::kInside : State::kBefore) {}

bool ReasoningParser::inside() const { return state_ == State::kInside; }

ReasoningText ReasoningParser::push(std::string_view text) {
  held_ += text;
  return advance(false);
}

ReasoningText ReasoningParser::finish() { return advance(true); }

ReasoningText ReasoningParser::advance(bool at_end) {
  ReasoningText out;
  if (state_ == State::kBefore) {
    const std::size_t start = std::min(held_.find_first_not_of(kWhitespace), held_.size());
    const std::string_view text = std::string_view(held_).substr(start);
    if (text.starts_with(kOpen)) {
      held_.erase(0, start + kOpen.size());
      state_ = State::kInside;
    } else if (kOpen.starts_with(text) && !at_end) {
      return out;  // nothing yet, or the first part of the tag
    } else {
      state_ = State::kAfter;
      fresh_ = false;  // no tag stands before this answer: its line breaks are its own
    }
  }
  if (state_ == State::kInside) {
    if (fresh_) drop_leading_breaks(held_);
    const std::size_t close = held_.find(kClose);
    if (close != std::string::npos) {
      const std::string_view text = std::string_view(held_).substr(0, close);
      out.reasoning = text.substr(0, without_trailing_breaks(text));
      held_.erase(0, close + kClose.size());
      state_ = State::kAfter;
      fresh_ = true;
    } else {
      std::size_t decided = held_.size();
      if (!at_end) {
        const std::string_view text = held_;
        decided = without_trailing_breaks(text.substr(0, text.size() - partial_tag(text, kClose)));
      }
      out.reasoning = held_.substr(0, decided);
      held_.erase(0, decided);
      if (decided > 0) fresh_ = false;
      return out;
    }
  }
  if (fresh_) drop_leading_breaks(held_);
  if (!held_.empty()) fresh_ = false;
  out.answer = std::exchange(held_, {});
  return out;
}

ReasoningText split_reasoning(std::string_view text, bool inside) {
  ReasoningParser parser(inside);
  ReasoningText out = parser.push(text);
  const ReasoningText rest = parser.finish();
  out.reasoning += rest.reasoning;
  out.answer += rest.answer;
  return out;
}

bool prompt_opens_reasoning(std::string_view prompt) {
  const std::size_t last = prompt.find_last_not_of(" \t\r\n");
  return last != std::string_view::npos && prompt.substr(0, last + 1).ends_with(kOpen);
}

}  // namespace laconic
