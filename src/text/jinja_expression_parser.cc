// SPDX-License-Identifier: Apache-2.0
#include "text/jinja_expression_parser.h"

#include <algorithm>
#include <array>

namespace laconic::jinja {

// One level of nesting for as long as it lives.
class ExpressionParser::Nesting {
 public:
  explicit Nesting(ExpressionParser& parser) : parser_(parser) {
    if (parser_.depth_ == 0) parser_.links_ = 0;
    if (++parser_.depth_ > kMaxSyntaxDepth) {
      parser_.tokens_.error("expressions are nested more than {} deep", kMaxSyntaxDepth);
    }
  }
  ~Nesting() { --parser_.depth_; }
  Nesting(const Nesting&) = delete;
  Nesting& operator=(const Nesting&) = delete;

 private:
  ExpressionParser& parser_;
};

void ExpressionParser::count_chain() {
  if (++links_ > kMaxChain) tokens_.error("an expression has more than {} parts", kMaxChain);
}

ExpressionPtr ExpressionParser::expression(Conditionals conditionals) {
  const Nesting nesting(*this);
  ExpressionPtr value = disjunction();
  if (conditionals == Conditionals::kNotHere) return value;
  while (tokens_.skip_name("if")) {
    count_chain();
    ExpressionPtr condition = disjunction();
    ExpressionPtr otherwise;
    if (tokens_.skip_name("else")) otherwise = expression();
    value = make(Conditional{std::move(condition), std::move(value), std::move(otherwise)});
  }
  return value;
}

ExpressionPtr ExpressionParser::disjunction() {
  ExpressionPtr left = conjunction();
  while (tokens_.skip_name("or")) {
    count_chain();
    ExpressionPtr right = conjunction();
    left = make(Logic{false, std::move(left), std::move(right)});
  }
  return left;
}

ExpressionPtr ExpressionParser::conjunction() {
  ExpressionPtr left = negation();
  while (tokens_.skip_name("and")) {
    count_chain();
    ExpressionPtr right = negation();
    left = make(Logic{true, std::move(left), std::move(right)});
  }
  return left;
}

ExpressionPtr ExpressionParser::negation() {
  if (!tokens_.skip_name("not")) return comparison();
  const Nesting nesting(*this);
  return make(Unary{UnaryOperator::kNot, negation()});
}

ExpressionPtr ExpressionParser::comparison() {
  constexpr std::array<std::pair<std::string_view, Relation>, 6> kRelations = {{
      {"==", Relation::kEqual},
      {"!=", Relation::kNotEqual},
      {"<", Relation::kLess},
      {"<=", Relation::kLessEqual},
      {">", Relation::kGreater},
      {">=", Relation::kGreaterEqual},
  }};
  Comparison out{sum(), {}};
  while (true) {
    const auto relation =
        std::find_if(kRelations.begin(), kRelations.end(),
                     [&](const auto& entry) { return tokens_.is_operator(entry.first); });
    if (relation != kRelations.end()) {
      tokens_.next();
      out.rest.emplace_back(relation->second, sum());
    } else if (tokens_.skip_name("in")) {
      out.rest.emplace_back(Relation::kIn, sum());
    } else if (tokens_.is_name("not") && tokens_.is_name("in", 1)) {
      tokens_.next();
      tokens_.next();
      out.rest.emplace_back(Relation::kNotIn, sum());
    } else {
      break;
    }
  }
  if (out.rest.empty()) return std::move(out.first);
  return make(std::move(out));
}

ExpressionPtr ExpressionParser::sum() {
  ExpressionPtr left = concatenation();
  while (tokens_.is_operator("+") || tokens_.is_operator("-")) {
    count_chain();
    const auto op = tokens_.next().text == "+" ? BinaryOperator::kAdd : BinaryOperator::kSubtract;
    ExpressionPtr right = concatenation();
    left = make(Binary{op, std::move(left), std::move(right)});
  }
  return left;
}

ExpressionPtr ExpressionParser::concatenation() {
  Concatenation out;
  out.parts.push_back(product());
  while (tokens_.skip_operator("~")) out.parts.push_back(product());
  if (out.parts.size() == 1) return std::move(out.parts[0]);
  return make(std::move(out));
}

ExpressionPtr ExpressionParser::product() {
  constexpr std::array<std::pair<std::string_view, BinaryOperator>, 4> kOperators = {{
      {"*", BinaryOperator::kMultiply},
      {"/", BinaryOperator::kDivide},
      {"//", BinaryOperator::kFloorDivide},
      {"%", BinaryOperator::kModulo},
  }};
  ExpressionPtr left = power();
  while (true) {
    const auto found = std::find_if(kOperators.begin(), kOperators.end(), [&](const auto& entry) {
      return tokens_.is_operator(entry.first);
    });
    if (found == kOperators.end()) return left;
    count_chain();
    tokens_.next();
    ExpressionPtr right = power();
    left = make(Binary{found->second, std::move(left), std::move(right)});
  }
}

// Jinja takes a ** b ** c from the left, unlike Python.
ExpressionPtr ExpressionParser::power() {
  ExpressionPtr left = unary(true);
  while (tokens_.skip_operator("**")) {
    count_chain();
    ExpressionPtr right = unary(true);
    left = make(Binary{BinaryOperator::kPower, std::move(left), std::move(right)});
  }
  return left;
}

ExpressionPtr ExpressionParser::unary(bool with_filters) {
  ExpressionPtr value;
  if (tokens_.is_operator("-") || tokens_.is_operator("+")) {
    const Nesting nesting(*this);
    const auto op = tokens_.next().text == "-" ? UnaryOperator::kNegate : UnaryOperator::kPlus;
    value = make(Unary{op, unary(false)});
  } else {
    value = primary();
  }
  value = postfix(std::move(value));
  return with_filters ? filters_and_tests(std::move(value)) : std::move(value);
}

ExpressionPtr ExpressionParser::primary() {
  const Token& token = tokens_.peek();
  switch (token.kind) {
    case TokenKind::kName: {
      ExpressionPtr out;
      if (token.text == "true" || token.text == "True") {
        out = make(Literal{Value(true)});
      } else if (token.text == "false" || token.text == "False") {
        out = make(Literal{Value(false)});
      } else if (token.text == "none" || token.text == "None") {
        out = make(Literal{Value(None{})});
      } else {
        out = make(Name{token.text});
      }
      tokens_.next();
      return out;
    }
    case TokenKind::kString: {
      std::string text;
      while (tokens_.is(TokenKind::kString)) text += tokens_.next().text;
      return make(Literal{Value(StringPtr(std::make_shared<const std::string>(std::move(text))))});
    }
    case TokenKind::kInteger:
      return make(Literal{Value(tokens_.next().integer)});
    case TokenKind::kFloat:
      return make(Literal{Value(tokens_.next().real)});
    default:
      break;
  }
  if (tokens_.skip_operator("(")) {
    ExpressionPtr out = tuple(Conditionals::kAllowed, true);
    tokens_.expect_operator(")");
    return out;
  }
  if (tokens_.skip_operator("[")) return list();
  if (tokens_.skip_operator("{")) return dict();
  tokens_.error("an expression is expected before {}", tokens_.found());
}

ExpressionPtr ExpressionParser::list() {
  SequenceLiteral out{SequenceKind::kList, {}};
  while (!tokens_.is_operator("]")) {
    if (!out.items.empty()) tokens_.expect_operator(",");
    if (tokens_.is_operator("]")) break;
    out.items.push_back(expression());
  }
  tokens_.expect_operator("]");
  return make(std::move(out));
}

ExpressionPtr ExpressionParser::dict() {
  DictLiteral out;
  while (!tokens_.is_operator("}")) {
    if (!out.items.empty()) tokens_.expect_operator(",");
    if (tokens_.is_operator("}")) break;
    ExpressionPtr key = expression();
    tokens_.expect_operator(":");
    out.items.emplace_back(std::move(key), expression());
  }
  tokens_.expect_operator("}");
  return make(std::move(out));
}

bool ExpressionParser::at_tuple_end(std::string_view end_name) const {
  return tokens_.is(TokenKind::kPrintEnd) || tokens_.is(TokenKind::kBlockEnd) ||
         tokens_.is_operator(")") || (!end_name.empty() && tokens_.is_name(end_name));
}

ExpressionPtr ExpressionParser::tuple(Conditionals conditionals, bool may_be_empty,
                                      std::string_view end_name) {
  SequenceLiteral out{SequenceKind::kTuple, {}};
  bool is_tuple = false;
  while (true) {
    if (!out.items.empty()) tokens_.expect_operator(",");
    if (at_tuple_end(end_name)) break;
    out.items.push_back(expression(conditionals));
    if (!tokens_.is_operator(",")) break;
    is_tuple = true;
  }
  if (!is_tuple && !out.items.empty()) return std::move(out.items[0]);
  if (!is_tuple && !may_be_empty) {
    tokens_.error("an expression is expected before {}", tokens_.found());
  }
  return make(std::move(out));
}

Target ExpressionParser::single_target() {
  const Nesting nesting(*this);
  if (tokens_.skip_operator("(")) {
    Target out = target();
    tokens_.expect_operator(")");
    return out;
  }
  std::string name = tokens_.expect_name();
  for (const char* constant : {"true", "false", "none", "True", "False", "None"}) {
    if (name == constant) tokens_.error("{} cannot be assigned to", name);
  }
  return {std::move(name), {}};
}

Target ExpressionParser::target(std::string_view end_name) {
  Target out;
  bool is_tuple = false;
  while (true) {
    if (!out.parts.empty()) tokens_.expect_operator(",");
    if (at_tuple_end(end_name) || tokens_.is_operator("=")) break;
    out.parts.push_back(single_target());
    if (!tokens_.is_operator(",")) break;
    is_tuple = true;
  }
  if (out.parts.empty()) tokens_.error("a name is expected before {}", tokens_.found());
  if (is_tuple) return out;
  Target single = std::move(out.parts[0]);
  return single;
}

ExpressionPtr ExpressionParser::postfix(ExpressionPtr value) {
  while (true) {
    if (tokens_.is_operator(".") || tokens_.is_operator("[")) {
      value = subscript(std::move(value));
    } else if (tokens_.is_operator("(")) {
      CallArguments args = arguments();
      value = make(Call{std::move(value), std::move(args)});
    } else {
      return value;
    }
    count_chain();
  }
}

ExpressionPtr ExpressionParser::subscript(ExpressionPtr object) {
  if (!tokens_.skip_operator(".")) return bracket(std::move(object));
  if (tokens_.is(TokenKind::kInteger)) {
    ExpressionPtr index = make(Literal{Value(tokens_.next().integer)});
    return make(Item{std::move(object), std::move(index)});
  }
  std::string name = tokens_.expect_name();
  return make(Attribute{std::move(object), std::move(name)});
}

ExpressionPtr ExpressionParser::bracket(ExpressionPtr object) {
  tokens_.expect_operator("[");
  const auto part = [&]() -> ExpressionPtr {
    return tokens_.is_operator(":") || tokens_.is_operator("]") ? nullptr : expression();
  };
  ExpressionPtr start = part();
  if (!tokens_.is_operator(":")) {
    if (tokens_.is_operator(",")) tokens_.error("an index with a comma is not supported");
    if (!start) tokens_.error("an index is expected before {}", tokens_.found());
    tokens_.expect_operator("]");
    return make(Item{std::move(object), std::move(start)});
  }
  tokens_.next();
  ExpressionPtr stop = part();
  ExpressionPtr step;
  if (tokens_.skip_operator(":")) step = part();
  tokens_.expect_operator("]");
  return make(Slice{std::move(object), std::move(start), std::move(stop), std::move(step)});
}

CallArguments ExpressionParser::arguments() {
  tokens_.expect_operator("(");
  CallArguments out;
  bool first = true;
  while (!tokens_.is_operator(")")) {
    if (!first) tokens_.expect_operator(",");
    if (!first && tokens_.is_operator(")")) break;
    first = false;
    if (tokens_.is_operator("*") || tokens_.is_operator("**")) {
      tokens_.error("arguments with * or ** are not supported");
    }
    const bool named = tokens_.is(TokenKind::kName) &&
                       tokens_.peek(1).kind == TokenKind::kOperator && tokens_.peek(1).text == "=";
    if (named) {
      std::string name = tokens_.next().text;
      tokens_.next();
      for (const auto& [other, value] : out.keyword) {
        if (other == name) tokens_.error("the argument \"{}\" is given twice", name);
      }
      out.keyword.emplace_back(std::move(name), expression());
    } else {
      if (!out.keyword.empty()) tokens_.error("an argument without a name follows one with a name");
      out.positional.push_back(expression());
    }
  }
  tokens_.expect_operator(")");
  return out;
}

ExpressionPtr ExpressionParser::filters_and_tests(ExpressionPtr value) {
  while (true) {
    if (tokens_.is_operator("|")) {
      value = filters(std::move(value), false);
    } else if (tokens_.is_name("is")) {
      value = test(std::move(value));
    } else if (tokens_.is_operator("(")) {
      CallArguments args = arguments();
      value = make(Call{std::move(value), std::move(args)});
    } else {
      return value;
    }
    count_chain();
  }
}

ExpressionPtr ExpressionParser::filters(ExpressionPtr input, bool begins_with_name) {
  while (begins_with_name || tokens_.is_operator("|")) {
    if (!begins_with_name) tokens_.next();
    begins_with_name = false;
    const std::string name = tokens_.expect_name();
    const FilterFunction function = find_filter(name);
    if (!function) tokens_.error("the filter \"{}\" is not supported", name);
    CallArguments args;
    if (tokens_.is_operator("(")) args = arguments();
    input = make(FilterCall{std::move(input), function, std::move(args)});
    count_chain();
  }
  return input;
}

ExpressionPtr ExpressionParser::test(ExpressionPtr input) {
  tokens_.next();
  const bool negated = tokens_.skip_name("not");
  const std::string name = tokens_.expect_name();
  const TestFunction function = find_test(name);
  if (!function) tokens_.error("the test \"{}\" is not supported", name);
  CallArguments args;
  const bool operand = tokens_.is(TokenKind::kName) || tokens_.is(TokenKind::kString) ||
                       tokens_.is(TokenKind::kInteger) || tokens_.is(TokenKind::kFloat) ||
                       tokens_.is_operator("[") || tokens_.is_operator("{");
  const bool ends = tokens_.is_name("else") || tokens_.is_name("or") || tokens_.is_name("and");
  if (tokens_.is_operator("(")) {
    args = arguments();
  } else if (operand && !ends) {
    if (tokens_.is_name("is")) tokens_.error("tests with \"is\" cannot follow one another");
    args.positional.push_back(postfix(primary()));
  }
  return make(TestCall{std::move(input), function, std::move(args), negated});
}

}  // namespace laconic::jinja
