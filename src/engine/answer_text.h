// SPDX-License-Identifier: Apache-2.0
// Turns the ids of one answer into text as they come: detokenise, stop at stop strings, split
// reasoning from answer.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/stop_matcher.h"
#include "text/reasoning.h"
#include "text/tokenizer.h"

namespace laconic {

class AnswerText {
 public:
  // `tokenizer` may be null: then there is no text. `at_start`: nothing but control tokens comes
  // before the answer, so SentencePiece's dummy space is dropped.
  AnswerText(const Tokenizer* tokenizer, std::vector<std::string> stops, bool reasoning_open,
             bool at_start);

  // Before anything else, the ids of an answer that goes on: they were shown. Returns their text,
  // but for a character at the end that is not complete.
  std::string go_on_from(std::span<const TokenId> ids);

  ReasoningText push(TokenId id);  // newly shown text
  ReasoningText finish();
  bool stopped() const { return stops_.matched(); }
  bool inside_reasoning() const { return parser_.inside(); }

  const std::string& text() const { return text_; }
  const ReasoningText& parts() const { return parts_; }

 private:
  ReasoningText show(const std::string& text);
  ReasoningText collect(ReasoningText part);
  std::size_t vocab_;  // ids that have text; 0 without a tokenizer
  std::optional<TokenStream> stream_;
  StopMatcher stops_;
  ReasoningParser parser_;
  std::string text_;
  ReasoningText parts_;
  ReasoningText shown_;  // what comes again because the parser holds it back, and was shown
};

}  // namespace laconic
