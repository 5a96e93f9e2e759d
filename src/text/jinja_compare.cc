// SPDX-License-Identifier: Apache-2.0
// The part of jinja_value.h that says which values are true, equal, or less than others.
#include <algorithm>

#include "text/jinja_value.h"

namespace laconic::jinja {
namespace {

// An integer against a float without rounding the integer: compares as Python does.
int compare_mixed(std::int64_t a, double b) {
  constexpr double kTwo63 = 9223372036854775808.0;
  if (b >= kTwo63) return -1;
  if (b < -kTwo63) return 1;
  const auto whole = static_cast<std::int64_t>(b);  // toward zero
  if (a != whole) return a < whole ? -1 : 1;
  const double rest = b - static_cast<double>(whole);
  return rest > 0 ? -1 : rest < 0 ? 1 : 0;
}

bool equal_numbers(const Value& a, const Value& b) {
  const auto* x = a.get_if<double>();
  const auto* y = b.get_if<double>();
  if (x && y) return *x == *y;
  if (x) return *x == *x && compare_mixed(*as_integer(b), *x) == 0;
  if (y) return *y == *y && compare_mixed(*as_integer(a), *y) == 0;
  return *as_integer(a) == *as_integer(b);
}

int compare_numbers(const Value& a, const Value& b) {
  const auto* x = a.get_if<double>();
  const auto* y = b.get_if<double>();
  if ((x && *x != *x) || (y && *y != *y)) fail("nan has no order");
  if (x && y) return *x < *y ? -1 : *x > *y ? 1 : 0;
  if (x) return -compare_mixed(*as_integer(b), *x);
  if (y) return compare_mixed(*as_integer(a), *y);
  const auto p = *as_integer(a), q = *as_integer(b);
  return p < q ? -1 : p > q ? 1 : 0;
}

bool equal_sequences(Budget& budget, const Sequence& a, const Sequence& b) {
  if (&a == &b) return true;
  if (a.kind != b.kind || a.kind >= SequenceKind::kValues) return false;
  return a.items.size() == b.items.size() &&
         std::equal(a.items.begin(), a.items.end(), b.items.begin(),
                    [&](const Value& x, const Value& y) { return equal(budget, x, y); });
}

bool equal_dicts(Budget& budget, const Dict& a, const Dict& b) {
  if (&a == &b) return true;
  if (a.items.size() != b.items.size()) return false;
  return std::all_of(a.items.begin(), a.items.end(), [&](const auto& item) {
    const Value* found = find_key(budget, b, item.first);
    return found && equal(budget, item.second, *found);
  });
}

int compare_sequences(Budget& budget, const Sequence& a, const Sequence& b) {
  const std::size_t both = std::min(a.items.size(), b.items.size());
  for (std::size_t i = 0; i < both; ++i) {
    if (!equal(budget, a.items[i], b.items[i])) return compare(budget, a.items[i], b.items[i]);
  }
  return a.items.size() < b.items.size() ? -1 : a.items.size() > b.items.size() ? 1 : 0;
}

}  // namespace

bool truth(const Value& value) {
  if (value.is<Undefined>() || value.is<None>()) return false;
  if (const auto* markup = value.get_if<Markup>()) return !markup->text->empty();
  if (const auto* flag = value.get_if<bool>()) return *flag;
  if (const auto number = as_number(value)) return *number != 0;
  if (const std::string* text = value.string()) return !text->empty();
  if (const Dict* dict = value.dict()) return !dict->items.empty();
  if (const Sequence* sequence = value.sequence()) {
    return sequence->kind == SequenceKind::kGenerator || !sequence->items.empty();
  }
  return true;
}

bool equal(Budget& budget, const Value& a, const Value& b) {
  budget.step();
  for (const Value* side : {&a, &b}) {
    if (side->is<Markup>()) fail("a safe string can only be printed");
  }
  if (as_number(a) && as_number(b)) return equal_numbers(a, b);
  if (a.data.index() != b.data.index()) return false;
  if (const std::string* text = a.string()) return *text == *b.string();
  if (const Sequence* sequence = a.sequence()) {
    return equal_sequences(budget, *sequence, *b.sequence());
  }
  if (const Dict* dict = a.dict()) return equal_dicts(budget, *dict, *b.dict());
  if (const auto* loop = a.get_if<LoopPtr>()) return *loop == *b.get_if<LoopPtr>();
  if (const auto* method = a.get_if<MethodPtr>()) return *method == *b.get_if<MethodPtr>();
  if (const auto* space = a.get_if<Namespace*>()) return *space == *b.get_if<Namespace*>();
  if (const auto* macro = a.get_if<const MacroStatement*>()) {
    return *macro == *b.get_if<const MacroStatement*>();
  }
  if (const auto* builtin = a.get_if<Builtin>()) return *builtin == *b.get_if<Builtin>();
  return true;  // two undefined values, two nones
}

int compare(Budget& budget, const Value& a, const Value& b) {
  budget.step();
  if (as_number(a) && as_number(b)) return compare_numbers(a, b);
  if (a.string() && b.string()) {
    const int order = a.string()->compare(*b.string());
    return order < 0 ? -1 : order > 0 ? 1 : 0;
  }
  if (a.sequence() && b.sequence() && a.sequence()->kind == b.sequence()->kind &&
      a.sequence()->kind <= SequenceKind::kTuple) {
    return compare_sequences(budget, *a.sequence(), *b.sequence());
  }
  fail("a {} and a {} have no order", type_name(a), type_name(b));
}

}  // namespace laconic::jinja
