// SPDX-License-Identifier: Apache-2.0
// The expressions of a template: Jinja's precedence, from `a if b else c` down to a literal.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "text/jinja_ast.h"
#include "text/jinja_token_stream.h"

namespace laconic::jinja {

class ExpressionParser {
 public:
  explicit ExpressionParser(TokenStream& tokens) : tokens_(tokens) {}

  enum class Conditionals { kAllowed, kNotHere };  // `for x in y if z`: the if is the loop's

  ExpressionPtr expression(Conditionals conditionals = Conditionals::kAllowed);
  // Expressions with commas between them are a tuple without parentheses.
  ExpressionPtr tuple(Conditionals conditionals = Conditionals::kAllowed, bool may_be_empty = false,
                      std::string_view end_name = {});
  // The names of filters after `input`; a filter block begins with a name, without "|".
  ExpressionPtr filters(ExpressionPtr input, bool begins_with_name);
  // Names to assign to: a, or (a, b), or a, (b, c); ends before `end_name`.
  Target target(std::string_view end_name = {});

 private:
  class Nesting;

  ExpressionPtr disjunction();
  ExpressionPtr conjunction();
  ExpressionPtr negation();
  ExpressionPtr comparison();
  ExpressionPtr sum();
  ExpressionPtr concatenation();
  ExpressionPtr product();
  ExpressionPtr power();
  ExpressionPtr unary(bool with_filters);
  ExpressionPtr primary();
  ExpressionPtr postfix(ExpressionPtr value);
  ExpressionPtr subscript(ExpressionPtr object);
  ExpressionPtr bracket(ExpressionPtr object);
  ExpressionPtr filters_and_tests(ExpressionPtr value);
  ExpressionPtr test(ExpressionPtr input);
  ExpressionPtr list();
  ExpressionPtr dict();
  CallArguments arguments();
  Target single_target();
  bool at_tuple_end(std::string_view end_name) const;
  void count_chain();

  template <typename Node>
  ExpressionPtr make(Node node) const {
    auto out = std::make_unique<Expression>();
    out->line = tokens_.line();
    out->node = std::move(node);
    return out;
  }

  TokenStream& tokens_;
  std::size_t depth_ = 0;
  std::size_t links_ = 0;  // operators and the like in the expression so far: they bound its depth
};

}  // namespace laconic::jinja
