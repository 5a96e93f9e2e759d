// SPDX-License-Identifier: Apache-2.0
// Filters on lists and mappings.
#include <algorithm>

#include "text/jinja_filters.h"
#include "text/jinja_ops.h"
#include "text/jinja_text.h"

namespace laconic::jinja {
namespace {

std::vector<Value> copy_items(Budget& budget, const Value& input) {
  const SequencePtr items = iterate(budget, input);
  budget.bytes(items->items.size(), sizeof(Value));
  return items->items;
}

// The parts of "a.b.0", looked up one after the other; a number takes an item by its place.
Value attribute_of(Budget& budget, const Value& item, const Value& path, const Value* fallback) {
  Value value = item;
  if (const std::string* text = path.string()) {
    for (const std::string_view part : split(*text, ".", -1)) {
      const bool number = !part.empty() && part.find_first_not_of("0123456789") == part.npos;
      const auto place = number ? parse_integer(part) : std::nullopt;
      value =
          get_item(budget, value, place ? Value(*place) : make_string(budget, std::string(part)));
      if (fallback && value.is<Undefined>()) value = *fallback;
    }
    return value;
  }
  value = get_item(budget, value, path);
  return fallback && value.is<Undefined>() ? *fallback : value;
}

// What sort, min, max and unique compare: strings without case unless asked for.
struct Key {
  const Value* attribute;  // null: the item itself
  bool case_sensitive;

  Value operator()(Budget& budget, const Value& item) const {
    Value value = attribute ? attribute_of(budget, item, *attribute, nullptr) : item;
    if (!case_sensitive && value.string()) return make_string(budget, lower(*value.string()));
    return value;
  }
};

const Value* given(const Value* value) { return value && !value->is<None>() ? value : nullptr; }

void one_attribute(const Value* attribute) {
  const std::string* text = attribute ? attribute->string() : nullptr;
  if (text && text->find(',') != std::string::npos) {
    fail("several attributes with commas are not supported");
  }
}

// Items with their keys, in the order of the keys; equal keys keep their order.
std::vector<std::pair<Value, Value>> sorted(Budget& budget, std::vector<Value> items,
                                            const Key& key, bool reverse) {
  std::vector<std::pair<Value, Value>> out;
  for (Value& item : items) {
    Value of = key(budget, item);
    out.emplace_back(std::move(of), std::move(item));
  }
  std::stable_sort(out.begin(), out.end(), [&](const auto& a, const auto& b) {
    return reverse ? compare(budget, b.first, a.first) < 0 : compare(budget, a.first, b.first) < 0;
  });
  return out;
}

std::vector<Value> second_of(std::vector<std::pair<Value, Value>> pairs) {
  std::vector<Value> out;
  for (auto& [key, item] : pairs) out.push_back(std::move(item));
  return out;
}

Value filter_join(Budget& budget, const Value& input, const Arguments& arguments) {
  const Bound bound("join", arguments, {"d", "attribute"});
  const std::string between = bound[0] ? to_text(budget, *bound[0]) : std::string();
  const SequencePtr items = iterate(budget, input);
  budget.bytes(items->items.size(), between.size());
  std::string out;
  for (std::size_t i = 0; i < items->items.size(); ++i) {
    if (i > 0) out += between;
    const Value* attribute = given(bound[1]);
    const Value item =
        attribute ? attribute_of(budget, items->items[i], *attribute, nullptr) : items->items[i];
    const std::string text = to_text(budget, item);
    budget.bytes(text.size());
    out += text;
  }
  return make_string(budget, std::move(out));
}

Value filter_first(Budget& budget, const Value& input, const Arguments& arguments) {
  const Bound bound("first", arguments, {});
  const SequencePtr items = iterate(budget, input);
  return items->items.empty() ? make_undefined("an empty list has no first item")
                              : items->items.front();
}

Value filter_last(Budget& budget, const Value& input, const Arguments& arguments) {
  const Bound bound("last", arguments, {});
  if (input.sequence() && input.sequence()->kind == SequenceKind::kGenerator) {
    fail("a generator cannot be walked backwards");
  }
  const SequencePtr items = iterate(budget, input);
  return items->items.empty() ? make_undefined("an empty list has no last item")
                              : items->items.back();
}

Value filter_list(Budget& budget, const Value& input, const Arguments& arguments) {
  const Bound bound("list", arguments, {});
  return make_sequence(budget, copy_items(budget, input));
}

std::vector<Value> pairs_of(Budget& budget, const Dict& dict) {
  std::vector<Value> out;
  for (const auto& [key, value] : dict.items) {
    out.push_back(make_sequence(budget, {key, value}, SequenceKind::kTuple));
  }
  return out;
}

Value filter_items(Budget& budget, const Value& input, const Arguments& arguments) {
  const Bound bound("items", arguments, {});
  if (input.is<Undefined>()) return make_sequence(budget, {}, SequenceKind::kGenerator);
  if (!input.dict()) fail("items needs a mapping, not a {}", type_name(input));
  return make_sequence(budget, pairs_of(budget, *input.dict()), SequenceKind::kGenerator);
}

Value filter_dictsort(Budget& budget, const Value& input, const Arguments& arguments) {
  const Bound bound("dictsort", arguments, {"case_sensitive", "by", "reverse"});
  if (!input.dict()) fail("dictsort needs a mapping, not a {}", type_name(input));
  const std::string by = bound[1] ? bound.string(1) : "key";
  if (by != "key" && by != "value") fail("dictsort sorts by key or value, not \"{}\"", by);
  const Value place(std::int64_t{by == "key" ? 0 : 1});
  const Key key{&place, bound.flag(0, false)};
  return make_sequence(budget, second_of(sorted(budget, pairs_of(budget, *input.dict()), key,
                                                bound.flag(2, false))));
}

Value filter_sort(Budget& budget, const Value& input, const Arguments& arguments) {
  const Bound bound("sort", arguments, {"reverse", "case_sensitive", "attribute"});
  one_attribute(bound[2]);
  const Key key{given(bound[2]), bound.flag(1, false)};
  return make_sequence(
      budget, second_of(sorted(budget, copy_items(budget, input), key, bound.flag(0, false))));
}

Value filter_unique(Budget& budget, const Value& input, const Arguments& arguments) {
  const Bound bound("unique", arguments, {"case_sensitive", "attribute"});
  const Key key{given(bound[1]), bound.flag(0, false)};
  std::vector<Value> seen, out;
  const SequencePtr items = iterate(budget, input);
  for (const Value& item : items->items) {
    Value of = key(budget, item);
    if (of.dict() || (of.sequence() && of.sequence()->kind != SequenceKind::kTuple)) {
      fail("unique cannot compare a {}", type_name(of));
    }
    const bool known = std::any_of(seen.begin(), seen.end(),
                                   [&](const Value& other) { return equal(budget, of, other); });
    if (known) continue;
    seen.push_back(std::move(of));
    out.push_back(item);
  }
  return make_sequence(budget, std::move(out), SequenceKind::kGenerator);
}

template <bool largest>
Value filter_extreme(Budget& budget, const Value& input, const Arguments& arguments) {
  const Bound bound(largest ? "max" : "min", arguments, {"case_sensitive", "attribute"});
  const Key key{given(bound[1]), bound.flag(0, false)};
  const SequencePtr items = iterate(budget, input);
  if (items->items.empty()) return make_undefined("an empty list has no smallest or largest item");
  std::size_t best = 0;
  Value best_key = key(budget, items->items[0]);
  for (std::size_t i = 1; i < items->items.size(); ++i) {
    Value of = key(budget, items->items[i]);
    const int order = compare(budget, of, best_key);
    if (largest ? order <= 0 : order >= 0) continue;
    best = i;
    best_key = std::move(of);
  }
  return items->items[best];
}

Value filter_sum(Budget& budget, const Value& input, const Arguments& arguments) {
  const Bound bound("sum", arguments, {"attribute", "start"});
  Value total = bound[1] ? *bound[1] : Value(std::int64_t{0});
  if (total.string()) fail("sum cannot begin with a string");
  const Value* attribute = given(bound[0]);
  const SequencePtr items = iterate(budget, input);
  for (const Value& item : items->items) {
    total = apply_binary(budget, BinaryOperator::kAdd, total,
                         attribute ? attribute_of(budget, item, *attribute, nullptr) : item);
  }
  return total;
}

Value filter_reverse(Budget& budget, const Value& input, const Arguments& arguments) {
  const Bound bound("reverse", arguments, {});
  if (const std::string* text = input.string()) {
    budget.bytes(4 * text->size());
    std::u32string points = to_code_points(*text);
    std::reverse(points.begin(), points.end());
    return make_string(budget, to_utf8(points));
  }
  std::vector<Value> items = copy_items(budget, input);
  std::reverse(items.begin(), items.end());
  // Python gives a list for what it can walk forwards only, and an iterator for the rest.
  const bool forwards = input.sequence() && input.sequence()->kind == SequenceKind::kGenerator;
  return make_sequence(budget, std::move(items),
                       forwards ? SequenceKind::kList : SequenceKind::kGenerator);
}

Value filter_batch(Budget& budget, const Value& input, const Arguments& arguments) {
  const Bound bound("batch", arguments, {"linecount", "fill_with"}, 1);
  const std::int64_t size = bound.integer(0, 1);
  if (size < 1 || size > static_cast<std::int64_t>(kMaxRange)) {
    fail("batch needs a size of 1 to {}, not {}", kMaxRange, size);
  }
  const auto width = static_cast<std::size_t>(size);
  const SequencePtr items = iterate(budget, input);
  std::vector<Value> out;
  for (std::size_t start = 0; start < items->items.size(); start += width) {
    const std::size_t end = std::min(items->items.size(), start + width);
    std::vector<Value> part(items->items.begin() + static_cast<std::ptrdiff_t>(start),
                            items->items.begin() + static_cast<std::ptrdiff_t>(end));
    if (const Value* fill = given(bound[1])) part.resize(width, *fill);
    out.push_back(make_sequence(budget, std::move(part)));
  }
  return make_sequence(budget, std::move(out), SequenceKind::kGenerator);
}

// Arguments after the first `skip`.
Arguments rest_of(const Arguments& arguments, std::size_t skip) {
  return {{arguments.positional.begin() + static_cast<std::ptrdiff_t>(skip),
           arguments.positional.end()},
          arguments.keyword};
}

const std::string& name_at(const Arguments& arguments, std::size_t i, const char* what) {
  const std::string* name =
      i < arguments.positional.size() ? arguments.positional[i].string() : nullptr;
  if (!name) fail("the name of a {} is expected", what);
  return *name;
}

Value filter_map(Budget& budget, const Value& input, const Arguments& arguments) {
  if (!truth(input)) return make_sequence(budget, {}, SequenceKind::kGenerator);
  std::vector<Value> out;
  const SequencePtr items = iterate(budget, input);
  if (arguments.positional.empty()) {
    const Bound bound("map", arguments, {"attribute", "default"}, 1);
    for (const Value& item : items->items) {
      out.push_back(attribute_of(budget, item, *bound[0], bound[1]));
    }
  } else {
    const std::string& name = name_at(arguments, 0, "filter");
    const FilterFunction function = find_filter(name);
    if (!function) fail("the filter \"{}\" is not supported", name);
    const Arguments rest = rest_of(arguments, 1);
    for (const Value& item : items->items) {
      budget.step();
      out.push_back(function(budget, item, rest));
    }
  }
  return make_sequence(budget, std::move(out), SequenceKind::kGenerator);
}

// As map does, they take none and the like for an empty list.
// select and reject keep items by a test; selectattr and rejectattr by a test of an attribute.
template <bool by_attribute, bool wanted>
Value filter_select(Budget& budget, const Value& input, const Arguments& arguments) {
  constexpr std::size_t kName = by_attribute ? 1 : 0;
  if (!truth(input)) return make_sequence(budget, {}, SequenceKind::kGenerator);
  if (by_attribute && arguments.positional.empty()) fail("the name of an attribute is expected");
  TestFunction function = nullptr;
  Arguments rest;
  if (arguments.positional.size() > kName) {
    const std::string& name = name_at(arguments, kName, "test");
    function = find_test(name);
    if (!function) fail("the test \"{}\" is not supported", name);
    rest = rest_of(arguments, kName + 1);
  }
  std::vector<Value> out;
  const SequencePtr items = iterate(budget, input);
  for (const Value& item : items->items) {
    budget.step();
    const Value value =
        by_attribute ? attribute_of(budget, item, arguments.positional[0], nullptr) : item;
    const bool holds = function ? function(budget, value, rest) : truth(value);
    if (holds == wanted) out.push_back(item);
  }
  return make_sequence(budget, std::move(out), SequenceKind::kGenerator);
}

}  // namespace

FilterFunction find_sequence_filter(std::string_view name) {
  static constexpr std::pair<std::string_view, FilterFunction> kFilters[] = {
      {"join", filter_join},
      {"first", filter_first},
      {"last", filter_last},
      {"list", filter_list},
      {"items", filter_items},
      {"dictsort", filter_dictsort},
      {"sort", filter_sort},
      {"unique", filter_unique},
      {"min", filter_extreme<false>},
      {"max", filter_extreme<true>},
      {"sum", filter_sum},
      {"reverse", filter_reverse},
      {"batch", filter_batch},
      {"map", filter_map},
      {"select", filter_select<false, true>},
      {"reject", filter_select<false, false>},
      {"selectattr", filter_select<true, true>},
      {"rejectattr", filter_select<true, false>},
  };
  for (const auto& [known, function] : kFilters) {
    if (known == name) return function;
  }
  return nullptr;
}

}  // namespace laconic::jinja
