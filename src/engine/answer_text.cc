// SPDX-License-Identifier: Apache-2.0
#include "engine/answer_text.h"

#include <utility>

#include "base/error.h"

namespace laconic {

AnswerText::AnswerText(const Tokenizer* tokenizer, std::vector<std::string> stops,
                       bool reasoning_open, bool at_start)
    : vocab_(tokenizer == nullptr ? 0 : tokenizer->vocab_size()),
      stops_(std::move(stops)),
      parser_(reasoning_open) {
  if (tokenizer != nullptr) stream_.emplace(*tokenizer, /*skip_special=*/true, at_start);
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
  const ReasoningText rest = parser_.finish();
  collect(rest);
  part.reasoning += held.reasoning + rest.reasoning;
  part.answer += held.answer + rest.answer;
  return part;
}

ReasoningText AnswerText::show(const std::string& text) {
  text_ += text;
  ReasoningText part = parser_.push(text);
  collect(part);
  return part;
}

void AnswerText::collect(const ReasoningText& part) {
  parts_.reasoning += part.reasoning;
  parts_.answer += part.answer;
}

}  // namespace laconic
