// SPDX-License-Identifier: Apache-2.0
// Splits a model's text into the reasoning inside <think> ... </think> and the answer after it.
#pragma once

#include <string>
#include <string_view>

namespace laconic {

struct ReasoningText {
  std::string reasoning;  // without the tags and the line breaks next to them
  std::string answer;
};

// Feed text as it streams; each call says what part of it belongs where. A tag that arrives in
// pieces is held back until it is complete or cannot be one any more.
class ReasoningParser {
 public:
  // `inside`: the prompt already opened the block (DeepSeek-R1's template ends in "<think>\n").
  explicit ReasoningParser(bool inside = false);

  ReasoningText push(std::string_view text);  // the newly decided text of either part
  ReasoningText finish();                     // what was held back
  bool inside() const;                        // in the block now

 private:
  enum class State { kBefore, kInside, kAfter };
  ReasoningText advance(bool at_end);
  State state_;
  bool fresh_ = true;  // nothing shown yet in this part: its leading line breaks are dropped
  std::string held_;
};

// A whole text at once.
ReasoningText split_reasoning(std::string_view text, bool inside = false);

// Whether a rendered prompt ends by opening a <think> block. A tag inside somebody's message does
// not count.
bool prompt_opens_reasoning(std::string_view prompt);

}  // namespace laconic
