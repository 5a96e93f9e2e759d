// SPDX-License-Identifier: Apache-2.0
#include "text/jinja_ops.h"

#include <algorithm>
#include <cmath>

#include "text/jinja_text.h"

namespace laconic::jinja {
namespace {

const char* symbol(BinaryOperator op) {
  switch (op) {
    case BinaryOperator::kAdd:
      return "+";
    case BinaryOperator::kSubtract:
      return "-";
    case BinaryOperator::kMultiply:
      return "*";
    case BinaryOperator::kDivide:
      return "/";
    case BinaryOperator::kFloorDivide:
      return "//";
    case BinaryOperator::kModulo:
      return "%";
    case BinaryOperator::kPower:
      return "**";
  }
  return "?";
}

[[noreturn]] void fail_overflow(const char* op) {
  fail("the result of \"{}\" does not fit into 64 bits", op);
}

std::int64_t integer_power(std::int64_t base, std::int64_t exponent) {
  std::int64_t result = 1;
  while (exponent > 0) {
    if ((exponent & 1) != 0 && __builtin_mul_overflow(result, base, &result)) fail_overflow("**");
    exponent >>= 1;
    // The last square is not needed, and may overflow.
    if (exponent > 0 && __builtin_mul_overflow(base, base, &base)) fail_overflow("**");
  }
  return result;
}

Value integer_arithmetic(BinaryOperator op, std::int64_t a, std::int64_t b) {
  std::int64_t out = 0;
  switch (op) {
    case BinaryOperator::kAdd:
      if (__builtin_add_overflow(a, b, &out)) fail_overflow("+");
      return Value(out);
    case BinaryOperator::kSubtract:
      if (__builtin_sub_overflow(a, b, &out)) fail_overflow("-");
      return Value(out);
    case BinaryOperator::kMultiply:
      if (__builtin_mul_overflow(a, b, &out)) fail_overflow("*");
      return Value(out);
    case BinaryOperator::kDivide:
      if (b == 0) fail("division by zero");
      return Value(static_cast<double>(a) / static_cast<double>(b));
    case BinaryOperator::kFloorDivide:
    case BinaryOperator::kModulo: {
      if (b == 0) fail("division by zero");
      if (b == -1) {  // INT64_MIN / -1 does not fit
        if (op == BinaryOperator::kModulo) return Value(std::int64_t{0});
        if (__builtin_sub_overflow(std::int64_t{0}, a, &out)) fail_overflow("//");
        return Value(out);
      }
      const bool towards_zero = a % b != 0 && (a < 0) != (b < 0);
      if (op == BinaryOperator::kModulo) return Value(a % b + (towards_zero ? b : 0));
      return Value(a / b - (towards_zero ? 1 : 0));
    }
    case BinaryOperator::kPower:
      if (b >= 0) return Value(integer_power(a, b));
      if (a == 0) fail("division by zero");
      return Value(std::pow(static_cast<double>(a), static_cast<double>(b)));
  }
  return {};
}

Value float_arithmetic(BinaryOperator op, double a, double b) {
  switch (op) {
    case BinaryOperator::kAdd:
      return Value(a + b);
    case BinaryOperator::kSubtract:
      return Value(a - b);
    case BinaryOperator::kMultiply:
      return Value(a * b);
    case BinaryOperator::kDivide:
      if (b == 0) fail("division by zero");
      return Value(a / b);
    case BinaryOperator::kFloorDivide:
    case BinaryOperator::kModulo: {
      if (b == 0) fail("division by zero");
      // Python's definition: the remainder has the divisor's sign, the quotient is exact.
      double rest = std::fmod(a, b);
      double quotient = (a - rest) / b;
      if (rest != 0 && (b < 0) != (rest < 0)) {
        rest += b;
        quotient -= 1;
      } else if (rest == 0) {
        rest = std::copysign(0.0, b);
      }
      if (op == BinaryOperator::kModulo) return Value(rest);
      if (quotient == 0) return Value(std::copysign(0.0, a / b));
      double whole = std::floor(quotient);
      if (quotient - whole > 0.5) whole += 1;
      return Value(whole);
    }
    case BinaryOperator::kPower: {
      if (a == 0 && b < 0) fail("division by zero");
      if (a < 0 && std::isfinite(a) && std::isfinite(b) && b != std::floor(b)) {
        fail("a negative number to a broken power is not supported");
      }
      const double out = std::pow(a, b);
      if (std::isinf(out) && std::isfinite(a) && std::isfinite(b)) fail("\"**\" overflows");
      return Value(out);
    }
  }
  return {};
}

// A string or list `times` over.
Value repeat(Budget& budget, const Value& value, std::int64_t times) {
  const auto count = static_cast<std::size_t>(std::max<std::int64_t>(times, 0));
  if (const std::string* text = value.string()) {
    budget.bytes(count, text->size());
    std::string out;
    out.reserve(text->size() * count);
    if (!text->empty()) {
      for (std::size_t i = 0; i < count; ++i) out += *text;
    }
    return make_string(budget, std::move(out));
  }
  const Sequence& sequence = *value.sequence();
  budget.bytes(count, sequence.items.size() * sizeof(Value));
  std::vector<Value> items;
  items.reserve(sequence.items.size() * count);
  if (!sequence.items.empty()) {
    for (std::size_t i = 0; i < count; ++i) {
      items.insert(items.end(), sequence.items.begin(), sequence.items.end());
    }
  }
  return make_sequence(budget, std::move(items), sequence.kind);
}

bool repeatable(const Value& value) {
  return value.string() || (value.sequence() && value.sequence()->kind <= SequenceKind::kTuple);
}

// The start and stop of a slice, fitted to `size` as Python does.
struct SliceBounds {
  std::int64_t start, stop, step;
};

SliceBounds fit(const Value& start, const Value& stop, const Value& step, std::int64_t size) {
  const auto absent = [](const Value& v) { return v.is<None>(); };
  SliceBounds out{0, 0, absent(step) ? 1 : need_integer(step, "the step of a slice")};
  if (out.step == 0) fail("the step of a slice must not be 0");
  const std::int64_t low = out.step < 0 ? -1 : 0;
  const std::int64_t high = out.step < 0 ? size - 1 : size;
  const auto clamp = [&](const Value& value, std::int64_t fallback) {
    if (absent(value)) return fallback;
    std::int64_t at = need_integer(value, "the bound of a slice");
    if (at < 0) at = std::max(at, -size - 1) + size;
    return std::clamp(at, low, high);
  };
  out.start = clamp(start, out.step < 0 ? high : low);
  out.stop = clamp(stop, out.step < 0 ? low : high);
  out.step = std::clamp(out.step, -size - 1, size + 1);  // larger steps end the slice as well
  return out;
}

// The elements of `in` (a string of code points or a vector) that the slice takes.
template <typename Container>
Container take(const Container& in, const SliceBounds& bounds) {
  Container out;
  for (std::int64_t i = bounds.start; bounds.step > 0 ? i < bounds.stop : i > bounds.stop;
       i += bounds.step) {
    out.push_back(in[static_cast<std::size_t>(i)]);
  }
  return out;
}

}  // namespace

Value apply_unary(UnaryOperator op, const Value& operand) {
  if (op == UnaryOperator::kNot) return Value(!truth(operand));
  if (const auto* real = operand.get_if<double>()) {
    return Value(op == UnaryOperator::kNegate ? -*real : *real);
  }
  const auto number = as_integer(operand);
  if (!number) fail("a {} has no sign", type_name(operand));
  if (op == UnaryOperator::kPlus) return Value(*number);
  return integer_arithmetic(BinaryOperator::kSubtract, 0, *number);
}

Value apply_binary(Budget& budget, BinaryOperator op, const Value& left, const Value& right) {
  for (const Value* side : {&left, &right}) {
    if (const auto* undefined = side->get_if<Undefined>()) {
      fail("{}", undefined->what ? *undefined->what : "a value is undefined");
    }
  }
  const auto a = as_integer(left), b = as_integer(right);
  if (a && b) return integer_arithmetic(op, *a, *b);
  const auto x = as_number(left), y = as_number(right);
  if (x && y) return float_arithmetic(op, *x, *y);
  if (op == BinaryOperator::kAdd && left.string() && right.string()) {
    budget.bytes(left.string()->size() + right.string()->size());
    return Value(StringPtr(std::make_shared<const std::string>(*left.string() + *right.string())));
  }
  if (op == BinaryOperator::kAdd && repeatable(left) && repeatable(right) && left.sequence() &&
      right.sequence() && left.sequence()->kind == right.sequence()->kind) {
    const auto& head = left.sequence()->items;
    const auto& tail = right.sequence()->items;
    budget.bytes(head.size() + tail.size(), sizeof(Value));
    std::vector<Value> items(head);
    items.insert(items.end(), tail.begin(), tail.end());
    return make_sequence(budget, std::move(items), left.sequence()->kind);
  }
  if (op == BinaryOperator::kMultiply && repeatable(left) && b) return repeat(budget, left, *b);
  if (op == BinaryOperator::kMultiply && repeatable(right) && a) return repeat(budget, right, *a);
  if (op == BinaryOperator::kModulo && left.string()) {
    fail("formatting a string with \"%\" is not supported");
  }
  fail("\"{}\" cannot join a {} and a {}", symbol(op), type_name(left), type_name(right));
}

bool contains(Budget& budget, const Value& container, const Value& item) {
  if (const std::string* text = container.string()) {
    if (!item.string()) fail("a string can contain strings only, not a {}", type_name(item));
    budget.step(1 + text->size() / 256);
    return text->find(*item.string()) != std::string::npos;
  }
  if (const Dict* dict = container.dict()) return find_key(budget, *dict, item) != nullptr;
  const SequencePtr items = iterate(budget, container);
  return std::any_of(items->items.begin(), items->items.end(),
                     [&](const Value& value) { return equal(budget, value, item); });
}

bool apply_relation(Budget& budget, Relation relation, const Value& left, const Value& right) {
  switch (relation) {
    case Relation::kEqual:
      return equal(budget, left, right);
    case Relation::kNotEqual:
      return !equal(budget, left, right);
    case Relation::kIn:
      return contains(budget, right, left);
    case Relation::kNotIn:
      return !contains(budget, right, left);
    default:
      break;
  }
  for (const Value* side : {&left, &right}) {
    const auto* real = side->get_if<double>();
    if (real && std::isnan(*real) && as_number(left) && as_number(right)) return false;
  }
  const int order = compare(budget, left, right);
  switch (relation) {
    case Relation::kLess:
      return order < 0;
    case Relation::kLessEqual:
      return order <= 0;
    case Relation::kGreater:
      return order > 0;
    default:
      return order >= 0;
  }
}

Value slice(Budget& budget, const Value& object, const Value& start, const Value& stop,
            const Value& step) {
  if (const std::string* text = object.string()) {
    budget.bytes(text->size());
    const std::u32string points = to_code_points(*text);
    return make_string(
        budget,
        to_utf8(take(points, fit(start, stop, step, static_cast<std::int64_t>(points.size())))));
  }
  const Sequence* sequence = object.sequence();
  if (sequence && sequence->indexable()) {
    const auto size = static_cast<std::int64_t>(sequence->items.size());
    return make_sequence(budget, take(sequence->items, fit(start, stop, step, size)),
                         sequence->kind);
  }
  if (const auto* undefined = object.get_if<Undefined>()) {
    fail("{}", undefined->what ? *undefined->what : "a value is undefined");
  }
  fail("a {} has no slices", type_name(object));
}

}  // namespace laconic::jinja
