// SPDX-License-Identifier: Apache-2.0
// What may follow "is" in an expression; also the tests of select and reject.
#include <algorithm>
#include <array>

#include "text/jinja_filters.h"
#include "text/jinja_ops.h"
#include "text/jinja_text.h"

namespace laconic::jinja {
namespace {

void no_arguments(const Arguments& arguments) { Bound("this test", arguments, {}); }

template <typename T>
bool test_type(Budget&, const Value& value, const Arguments& arguments) {
  no_arguments(arguments);
  return value.is<T>();
}

bool test_defined(Budget&, const Value& value, const Arguments& arguments) {
  no_arguments(arguments);
  return !value.is<Undefined>();
}

template <bool wanted>
bool test_constant(Budget&, const Value& value, const Arguments& arguments) {
  no_arguments(arguments);
  const auto* flag = value.get_if<bool>();
  return flag && *flag == wanted;
}

bool test_string(Budget&, const Value& value, const Arguments& arguments) {
  no_arguments(arguments);
  return value.is<StringPtr>() || value.is<Markup>();
}

bool test_number(Budget&, const Value& value, const Arguments& arguments) {
  no_arguments(arguments);
  return as_number(value).has_value();
}

bool test_iterable(Budget&, const Value& value, const Arguments& arguments) {
  no_arguments(arguments);
  return value.string() || value.sequence() || value.dict() || value.is<Undefined>() ||
         value.is<LoopPtr>();
}

// Has a length and items by index or key.
bool test_sequence(Budget&, const Value& value, const Arguments& arguments) {
  no_arguments(arguments);
  return value.string() || value.dict() || value.is<Undefined>() ||
         (value.sequence() && value.sequence()->indexable());
}

bool test_callable(Budget&, const Value& value, const Arguments& arguments) {
  no_arguments(arguments);
  return value.is<MethodPtr>() || value.is<Builtin>() || value.is<const MacroStatement*>() ||
         value.is<Undefined>() || value.is<LoopPtr>();
}

std::int64_t modulo(Budget& budget, const Value& value, const Value& divisor) {
  const Value rest = apply_binary(budget, BinaryOperator::kModulo, value, divisor);
  const auto number = as_integer(rest);
  if (number) return *number;
  const double real = *as_number(rest);
  return real == 0 ? 0 : real == 1 ? 1 : 2;
}

template <int remainder>
bool test_parity(Budget& budget, const Value& value, const Arguments& arguments) {
  no_arguments(arguments);
  return modulo(budget, value, Value(std::int64_t{2})) == remainder;
}

bool test_divisible(Budget& budget, const Value& value, const Arguments& arguments) {
  const Bound bound("divisibleby", arguments, {"num"}, 1);
  return modulo(budget, value, *bound[0]) == 0;
}

template <Relation relation>
bool test_relation(Budget& budget, const Value& value, const Arguments& arguments) {
  const Bound bound("this test", arguments, {"other"}, 1);
  return apply_relation(budget, relation, value, *bound[0]);
}

bool test_lower(Budget& budget, const Value& value, const Arguments& arguments) {
  no_arguments(arguments);
  const std::string text = to_text(budget, value);
  return lower(text) == text && upper(text) != text;
}

bool test_upper(Budget& budget, const Value& value, const Arguments& arguments) {
  no_arguments(arguments);
  const std::string text = to_text(budget, value);
  return upper(text) == text && lower(text) != text;
}

}  // namespace

TestFunction find_test(std::string_view name) {
  static constexpr std::pair<std::string_view, TestFunction> kTests[] = {
      {"defined", test_defined},
      {"undefined", test_type<Undefined>},
      {"none", test_type<None>},
      {"string", test_string},
      {"mapping", test_type<DictPtr>},
      {"boolean", test_type<bool>},
      {"integer", test_type<std::int64_t>},
      {"float", test_type<double>},
      {"number", test_number},
      {"iterable", test_iterable},
      {"sequence", test_sequence},
      {"callable", test_callable},
      {"true", test_constant<true>},
      {"false", test_constant<false>},
      {"odd", test_parity<1>},
      {"even", test_parity<0>},
      {"divisibleby", test_divisible},
      {"lower", test_lower},
      {"upper", test_upper},
      {"in", test_relation<Relation::kIn>},
      {"eq", test_relation<Relation::kEqual>},
      {"equalto", test_relation<Relation::kEqual>},
      {"ne", test_relation<Relation::kNotEqual>},
      {"lt", test_relation<Relation::kLess>},
      {"lessthan", test_relation<Relation::kLess>},
      {"le", test_relation<Relation::kLessEqual>},
      {"gt", test_relation<Relation::kGreater>},
      {"greaterthan", test_relation<Relation::kGreater>},
      {"ge", test_relation<Relation::kGreaterEqual>},
  };
  for (const auto& [known, function] : kTests) {
    if (known == name) return function;
  }
  return nullptr;
}

}  // namespace laconic::jinja
