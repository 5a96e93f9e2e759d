// SPDX-License-Identifier: Apache-2.0
// Splits a template into text and the tokens of its tags, with Jinja's whitespace control.
//
// trim_blocks and lstrip_blocks are on, as transformers sets them: the line break after a block tag
// goes, and so do blanks before a block tag that opens its line. "-" and "+" in a tag override.
// One line break at the end of the source goes too. Comments vanish, raw blocks become text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace laconic::jinja {

enum class TokenKind {
  kText,
  kBlockBegin,
  kBlockEnd,
  kPrintBegin,
  kPrintEnd,
  kName,
  kString,
  kInteger,
  kFloat,
  kOperator,
  kEnd,
};

struct Token {
  TokenKind kind = TokenKind::kEnd;
  std::string text;  // of a string: with its escapes resolved
  std::int64_t integer = 0;
  double real = 0;
  std::size_t line = 1;
};

// The last token is kEnd. Errors are Error(kInput) with the line.
std::vector<Token> tokenize(std::string_view source);

}  // namespace laconic::jinja
