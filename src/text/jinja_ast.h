// SPDX-License-Identifier: Apache-2.0
// The tree of a parsed template. Filters and tests are bound to their functions while parsing, so
// that an unknown name is refused before anything is rendered.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "text/jinja_filters.h"
#include "text/jinja_value.h"

namespace laconic::jinja {

struct Expression;
using ExpressionPtr = std::unique_ptr<Expression>;

struct CallArguments {
  std::vector<ExpressionPtr> positional;
  std::vector<std::pair<std::string, ExpressionPtr>> keyword;
};

struct Literal {
  Value value;
};
struct Name {
  std::string name;
};
struct SequenceLiteral {
  SequenceKind kind;
  std::vector<ExpressionPtr> items;
};
struct DictLiteral {
  std::vector<std::pair<ExpressionPtr, ExpressionPtr>> items;
};
struct Attribute {  // object.name
  ExpressionPtr object;
  std::string name;
};
struct Item {  // object[index]
  ExpressionPtr object, index;
};
struct Slice {  // object[start:stop:step], each part may be null
  ExpressionPtr object, start, stop, step;
};
struct Call {
  ExpressionPtr callee;
  CallArguments arguments;
};
struct FilterCall {
  ExpressionPtr input;  // null: the body of a block
  FilterFunction function;
  CallArguments arguments;
};
struct TestCall {
  ExpressionPtr input;
  TestFunction function;
  CallArguments arguments;
  bool negated;
};

enum class UnaryOperator { kNegate, kPlus, kNot };
struct Unary {
  UnaryOperator op;
  ExpressionPtr operand;
};

enum class BinaryOperator { kAdd, kSubtract, kMultiply, kDivide, kFloorDivide, kModulo, kPower };
struct Binary {
  BinaryOperator op;
  ExpressionPtr left, right;
};

struct Logic {  // left and right, left or right
  bool is_and;
  ExpressionPtr left, right;
};

enum class Relation { kEqual, kNotEqual, kLess, kLessEqual, kGreater, kGreaterEqual, kIn, kNotIn };
struct Comparison {  // first < second <= third: each operand is compared with the next
  ExpressionPtr first;
  std::vector<std::pair<Relation, ExpressionPtr>> rest;
};
struct Concatenation {
  std::vector<ExpressionPtr> parts;
};
struct Conditional {  // then if test else otherwise; `otherwise` may be null
  ExpressionPtr test, then, otherwise;
};

struct Expression {
  std::size_t line = 1;
  std::variant<Literal, Name, SequenceLiteral, DictLiteral, Attribute, Item, Slice, Call,
               FilterCall, TestCall, Unary, Binary, Logic, Comparison, Concatenation, Conditional>
      node;
};

struct Statement;
using Block = std::vector<Statement>;

// What a set or for statement assigns to: a name, or a tuple of targets.
struct Target {
  std::string name;           // empty: a tuple
  std::vector<Target> parts;  // of the tuple
};

struct TextStatement {
  std::string text;
};
struct PrintStatement {
  ExpressionPtr value;
};
struct IfStatement {
  std::vector<std::pair<ExpressionPtr, Block>> branches;
  Block otherwise;
};
struct ForStatement {
  Target target;
  ExpressionPtr items, condition;  // condition: null without `if`
  Block body, otherwise;
};
struct SetStatement {
  Target target;
  std::string attribute;  // of the namespace `target.name`; empty: a plain name
  ExpressionPtr value;    // null: the text of `body`, sent through `filter`
  Block body;
  ExpressionPtr filter;  // null: none
};
struct MacroStatement {
  std::string name;
  std::vector<std::pair<std::string, ExpressionPtr>> parameters;  // with default or null
  Block body;
};
struct FilterStatement {
  ExpressionPtr filter;
  Block body;
};
struct WithStatement {  // also a generation block, which only has a scope of its own
  std::vector<std::pair<Target, ExpressionPtr>> bindings;
  Block body;
};
struct BreakStatement {};
struct ContinueStatement {};

struct Statement {
  std::size_t line = 1;
  std::variant<TextStatement, PrintStatement, IfStatement, ForStatement, SetStatement,
               std::unique_ptr<MacroStatement>, FilterStatement, WithStatement, BreakStatement,
               ContinueStatement>
      node;
};

}  // namespace laconic::jinja
