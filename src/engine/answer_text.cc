// SPDX-License-Identifier: Apache-2.0
#include "engine/answer_text.h"

#include <algorithm>
#include <utility>

#include "base/error.h"

namespace laconic {
namespace {

// Takes from the front of `text` what was shown before.
void drop_shown(std::string& shown, std::string& text) {
  const std::size_t again = std::min(shown.size(), text.size());
  shown.erase(0, again);
  text.erase(0, again);
}

}  // namespace

AnswerText::AnswerText(const Tokenizer* tokenizer, std::vector<std::string> stops,
                       bool reasoning_open, bool at_start)
    : vocab_(tokenizer == nullptr ? 0 : tokenizer->vocab_size()),
      stops_(std::move(stops)),
      parser_(reasoning_open) {
  if (tokenizer != nullptr) stream_.emplace(*tokenizer, /*skip_special=*/true, at_start);
}

std::string AnswerText::go_on_from(std::span<const TokenId> ids) {
  std::string text;
  for (const TokenId id : ids) {
    if (static_cast<std::size_t>(id) < vocab_) text += stream_->push(id);
  }
  parser_.push(text);
  // The end of the answer so far showed what may yet become a tag, or a line break next to one.
  shown_ = ReasoningParser(parser_).finish();
  return text;
}

ReasoningText AnswerText::push(TokenId id) {
  // Embeddings are often padded beyond the vocabulary: such ids have no text.
  if (static_cast<std::size_t>(id) >= vocab_) return {};
  return show(stops_.push(stream_->push(id)));
}

ReasoningText AnswerText::finish() {
  if (!stream_) return {};
  ReasoningText part = show(stops_.push(stream_->finish()));
  const ReasoningText held = show(stops_.finish());
  const ReasoningText rest = collect(parser_.finish());
  part.reasoning += held.reasoning + rest.reasoning;
  part.answer += held.answer + rest.answer;
  return part;
}

ReasoningText AnswerText::show(const std::string& text) {
  text_ += text;
  return collect(parser_.push(text));
}

ReasoningText AnswerText::collect(ReasoningText part) {
  drop_shown(shown_.reasoning, part.reasoning);
  drop_shown(shown_.answer, part.answer);
  parts_.reasoning += part.reasoning;
  parts_.answer += part.answer;
  return part;
}

}  // namespace laconic
