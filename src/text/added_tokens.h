// SPDX-License-Identifier: Apache-2.0
// Finds added tokens (control and user-defined ones) in a text: at each place the longest one,
// places from left to right. The text between them goes to the tokenizer.
//
// A text is scanned once; a place costs at most the length of the longest token that fits it.
// `lstrip` and `rstrip` swallow the white space around a token, `single_word` refuses one that
// touches a letter or digit. Tokens are looked for in the text as it came, before normalisation.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>
#include <vector>

#include "text/tokenizer.h"

namespace laconic {

class AddedTokens {
 public:
  struct Segment {
    std::string_view text;  // what stands there
    TokenId id = -1;        // -1: text between added tokens
  };

  explicit AddedTokens(std::vector<TokenizerData::Added> tokens);

  // Segments in order, none empty. Special tokens are text like any other unless `parse_special`.
  std::vector<Segment> split(std::string_view text, bool parse_special) const;

  TokenId find(std::string_view content) const;  // -1: none has that content

 private:
  struct Range {
    std::size_t begin = 0, end = 0;
  };
  // The longest token that the text at `at` begins with, or nullptr.
  const TokenizerData::Added* longest(std::string_view text, std::size_t at,
                                      bool parse_special) const;

  std::vector<TokenizerData::Added> tokens_;  // by content, each content once
  std::array<Range, 256> by_first_byte_{};
};

}  // namespace laconic
