// SPDX-License-Identifier: Apache-2.0
// The tokens of a template with a place in them, and the errors that name it.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "text/jinja_lexer.h"
#include "text/jinja_limits.h"

namespace laconic::jinja {

class TokenStream {
 public:
  explicit TokenStream(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  const Token& peek(std::size_t offset = 0) const {
    return tokens_[std::min(at_ + offset, tokens_.size() - 1)];
  }
  const Token& next() {
    const Token& token = peek();
    if (at_ + 1 < tokens_.size()) ++at_;
    return token;
  }
  std::size_t line() const { return peek().line; }

  bool is(TokenKind kind) const { return peek().kind == kind; }
  bool is_operator(std::string_view op) const {
    return is(TokenKind::kOperator) && peek().text == op;
  }
  bool is_name(std::string_view name, std::size_t offset = 0) const {
    return peek(offset).kind == TokenKind::kName && peek(offset).text == name;
  }
  bool skip_operator(std::string_view op) {
    if (!is_operator(op)) return false;
    next();
    return true;
  }
  bool skip_name(std::string_view name) {
    if (!is_name(name)) return false;
    next();
    return true;
  }
  void expect_operator(std::string_view op) {
    if (!skip_operator(op)) error("\"{}\" is expected before {}", op, found());
  }
  std::string expect_name() {
    if (!is(TokenKind::kName)) error("a name is expected before {}", found());
    return next().text;
  }
  void expect(TokenKind kind, const char* what) {
    if (!is(kind)) error("{} is expected before {}", what, found());
    next();
  }

  // What stands here, for a message.
  std::string found() const {
    switch (peek().kind) {
      case TokenKind::kText:
        return "text";
      case TokenKind::kBlockEnd:
        return "the end of the tag";
      case TokenKind::kPrintEnd:
        return "\"}}\"";
      case TokenKind::kEnd:
        return "the end of the template";
      case TokenKind::kString:
        return "a string";
      default:
        return "\"" + peek().text + "\"";
    }
  }

  template <typename... Args>
  [[noreturn]] void error(fmt::format_string<Args...> text, Args&&... args) const {
    throw_input("chat template, line {}: {}", line(),
                fmt::format(text, std::forward<Args>(args)...));
  }

 private:
  std::vector<Token> tokens_;
  std::size_t at_ = 0;
};

}  // namespace laconic::jinja
