// SPDX-License-Identifier: Apache-2.0
// Cuts text into pre-tokens by regular expressions: every match is a piece, and so is what lies
// between two matches ("isolated"). Several expressions apply in turn, each inside the pieces of
// the one before.
//
// PCRE2 with Unicode properties, just-in-time compiled. Its \s also matches U+180E, which the
// tokenizers' engines do not take for white space, so \s and \S are spelled out as White_Space.
// An expression that PCRE2 refuses, or that gives up on a text, is an Error(kInput).
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace laconic {

class RegexSplitter {
 public:
  explicit RegexSplitter(const std::vector<std::string>& patterns);
  ~RegexSplitter();
  RegexSplitter(RegexSplitter&&) noexcept;
  RegexSplitter& operator=(RegexSplitter&&) noexcept;

  // The pieces in order; together they are `text`. PRECONDITION: valid UTF-8. Safe to call from
  // several threads.
  std::vector<std::string_view> split(std::string_view text) const;

 private:
  class Pattern;
  std::vector<Pattern> patterns_;
};

// `pattern` with \s and \S written as classes. Error(kInput) for \S inside a class.
std::string spell_out_white_space(std::string_view pattern);

}  // namespace laconic
