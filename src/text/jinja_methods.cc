// SPDX-License-Identifier: Apache-2.0
// Python's methods of strings, lists and mappings that leave them unchanged.
#include <algorithm>

#include "text/jinja_filters.h"
#include "text/jinja_text.h"

namespace laconic::jinja {
namespace {

using Method = Value (*)(Budget&, const Value& self, const Arguments&);
struct Entry {
  std::string_view name;
  Method method;
};

Value list_of(Budget& budget, const std::vector<std::string_view>& parts) {
  budget.bytes(parts.size(), sizeof(Value));
  std::vector<Value> items;
  for (const std::string_view part : parts) items.push_back(make_string(budget, std::string(part)));
  return make_sequence(budget, std::move(items));
}

template <bool left, bool right>
Value string_strip(Budget& budget, const Value& self, const Arguments& arguments) {
  const Bound bound("strip()", arguments, {"chars"});
  std::optional<std::string_view> chars;
  if (bound[0] && !bound[0]->is<None>()) chars = bound.string(0);
  return make_string(budget, std::string(strip(*self.string(), chars, {left, right})));
}

template <std::string (*function)(std::string_view)>
Value string_case(Budget& budget, const Value& self, const Arguments& arguments) {
  const Bound bound("this method", arguments, {});
  budget.bytes(4 * self.string()->size());
  return make_string(budget, function(*self.string()));
}

template <bool from_right>
Value string_split(Budget& budget, const Value& self, const Arguments& arguments) {
  const Bound bound("split()", arguments, {"sep", "maxsplit"});
  const std::string& text = *self.string();
  const std::int64_t limit = bound.integer(1, -1);
  budget.bytes(text.size());
  if (!bound[0] || bound[0]->is<None>()) {
    if (from_right && limit >= 0) fail("rsplit() with a limit needs a separator");
    return list_of(budget, split_whitespace(text, limit));
  }
  const std::string& separator = bound.string(0);
  return list_of(budget, from_right ? split_from_right(text, separator, limit)
                                    : split(text, separator, limit));
}

Value string_split_lines(Budget& budget, const Value& self, const Arguments& arguments) {
  const Bound bound("splitlines()", arguments, {});
  return list_of(budget, split_lines(*self.string()));
}

// One string or a tuple of strings.
template <bool at_end>
Value string_edge(Budget& budget, const Value& self, const Arguments& arguments) {
  const Bound bound(at_end ? "endswith()" : "startswith()", arguments, {"affix"}, 1);
  const std::string_view text = *self.string();
  const auto matches = [&](const Value& affix) {
    if (!affix.string()) fail("startswith() and endswith() need strings");
    const std::string_view part = *affix.string();
    return at_end ? text.ends_with(part) : text.starts_with(part);
  };
  const Sequence* several = bound[0]->sequence();
  if (!several || several->kind != SequenceKind::kTuple) return Value(matches(*bound[0]));
  budget.step(several->items.size());
  return Value(std::any_of(several->items.begin(), several->items.end(), matches));
}

template <bool at_end>
Value string_remove_edge(Budget& budget, const Value& self, const Arguments& arguments) {
  const Bound bound(at_end ? "removesuffix()" : "removeprefix()", arguments, {"affix"}, 1);
  std::string_view text = *self.string();
  const std::string_view part = bound.string(0);
  if (at_end && text.ends_with(part)) {
    text.remove_suffix(part.size());
  } else if (!at_end && text.starts_with(part)) {
    text.remove_prefix(part.size());
  }
  return make_string(budget, std::string(text));
}

Value string_replace(Budget& budget, const Value& self, const Arguments& arguments) {
  const Bound bound("replace()", arguments, {"old", "new", "count"}, 2);
  const std::string& from = bound.string(0);
  const std::string& to = bound.string(1);
  budget.bytes(count_occurrences(*self.string(), from), to.size());
  return make_string(budget, replace(*self.string(), from, to, bound.integer(2, -1)));
}

Value string_join(Budget& budget, const Value& self, const Arguments& arguments) {
  const Bound bound("join()", arguments, {"items"}, 1);
  const SequencePtr items = iterate(budget, *bound[0]);
  std::string out;
  for (std::size_t i = 0; i < items->items.size(); ++i) {
    const std::string* text = items->items[i].string();
    if (!text) fail("join() needs strings, not a {}", type_name(items->items[i]));
    budget.bytes(text->size() + self.string()->size());
    if (i > 0) out += *self.string();
    out += *text;
  }
  return make_string(budget, std::move(out));
}

template <bool from_right>
Value string_find(Budget&, const Value& self, const Arguments& arguments) {
  const Bound bound("find()", arguments, {"sub"}, 1);
  const std::string& text = *self.string();
  const std::size_t at = from_right ? text.rfind(bound.string(0)) : text.find(bound.string(0));
  if (at == std::string::npos) return Value(std::int64_t{-1});
  return Value(static_cast<std::int64_t>(count_code_points(std::string_view(text).substr(0, at))));
}

Value string_count(Budget&, const Value& self, const Arguments& arguments) {
  const Bound bound("count()", arguments, {"sub"}, 1);
  return Value(static_cast<std::int64_t>(count_occurrences(*self.string(), bound.string(0))));
}

Value string_is_space(Budget&, const Value& self, const Arguments& arguments) {
  const Bound bound("isspace()", arguments, {});
  const std::string& text = *self.string();
  return Value(!text.empty() && strip(text, std::nullopt, {}).empty());
}

Value string_is_digit(Budget&, const Value& self, const Arguments& arguments) {
  const Bound bound("isdigit()", arguments, {});
  const std::string& text = *self.string();
  if (count_code_points(text) != text.size()) fail("isdigit() is supported for ASCII text only");
  return Value(!text.empty() && text.find_first_not_of("0123456789") == std::string::npos);
}

constexpr Entry kStringMethods[] = {
    {"strip", string_strip<true, true>},
    {"lstrip", string_strip<true, false>},
    {"rstrip", string_strip<false, true>},
    {"upper", string_case<upper>},
    {"lower", string_case<lower>},
    {"title", string_case<title>},
    {"capitalize", string_case<capitalize>},
    {"split", string_split<false>},
    {"rsplit", string_split<true>},
    {"splitlines", string_split_lines},
    {"startswith", string_edge<false>},
    {"endswith", string_edge<true>},
    {"removeprefix", string_remove_edge<false>},
    {"removesuffix", string_remove_edge<true>},
    {"replace", string_replace},
    {"join", string_join},
    {"find", string_find<false>},
    {"rfind", string_find<true>},
    {"count", string_count},
    {"isspace", string_is_space},
    {"isdigit", string_is_digit},
};

template <SequenceKind kind>
Value dict_view(Budget& budget, const Value& self, const Arguments& arguments) {
  const Bound bound("this method", arguments, {});
  std::vector<Value> out;
  budget.bytes(self.dict()->items.size(), sizeof(Value));
  for (const auto& [key, value] : self.dict()->items) {
    if (kind == SequenceKind::kKeys) {
      out.push_back(key);
    } else if (kind == SequenceKind::kValues) {
      out.push_back(value);
    } else {
      out.push_back(make_sequence(budget, {key, value}, SequenceKind::kTuple));
    }
  }
  return make_sequence(budget, std::move(out), kind);
}

Value dict_get(Budget& budget, const Value& self, const Arguments& arguments) {
  const Bound bound("get()", arguments, {"key", "default"}, 1);
  if (const Value* found = find_key(budget, *self.dict(), *bound[0])) return *found;
  return bound[1] ? *bound[1] : Value(None{});
}

Value copy(Budget&, const Value& self, const Arguments& arguments) {
  const Bound bound("copy()", arguments, {});
  return self;
}

constexpr Entry kDictMethods[] = {
    {"items", dict_view<SequenceKind::kItems>},
    {"keys", dict_view<SequenceKind::kKeys>},
    {"values", dict_view<SequenceKind::kValues>},
    {"get", dict_get},
    {"copy", copy},
};

Value list_count(Budget& budget, const Value& self, const Arguments& arguments) {
  const Bound bound("count()", arguments, {"value"}, 1);
  std::int64_t count = 0;
  for (const Value& item : self.sequence()->items) count += equal(budget, item, *bound[0]) ? 1 : 0;
  return Value(count);
}

Value list_index(Budget& budget, const Value& self, const Arguments& arguments) {
  const Bound bound("index()", arguments, {"value"}, 1);
  const auto& items = self.sequence()->items;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (equal(budget, items[i], *bound[0])) return Value(static_cast<std::int64_t>(i));
  }
  fail("index() does not find the value in the list");
}

constexpr Entry kListMethods[] = {{"count", list_count}, {"index", list_index}};

Method find_method(const Value& self, std::string_view name) {
  const auto search = [&](const auto& table) -> Method {
    for (const Entry& entry : table) {
      if (entry.name == name) return entry.method;
    }
    return nullptr;
  };
  if (self.string()) return search(kStringMethods);
  if (self.dict()) return search(kDictMethods);
  if (self.sequence() && self.sequence()->indexable()) return search(kListMethods);
  return nullptr;
}

}  // namespace

bool has_method(const Value& self, std::string_view name) {
  return find_method(self, name) != nullptr;
}

Value call_method(Budget& budget, const BoundMethod& method, const Arguments& arguments) {
  return find_method(method.self, method.name)(budget, method.self, arguments);
}

}  // namespace laconic::jinja
