// SPDX-License-Identifier: Apache-2.0
// The part of jinja_filters.h that finds attributes, items and arguments.
#include <algorithm>
#include <array>

#include "base/utf8.h"
#include "text/jinja_filters.h"
#include "text/jinja_text.h"

namespace laconic::jinja {
namespace {

[[noreturn]] void fail_undefined(const Undefined& undefined) {
  fail("{}", undefined.what ? *undefined.what : "a value is undefined");
}

Value missing(const Value& object, const std::string& name) {
  return make_undefined(fmt::format("a {} has no \"{}\"", type_name(object), name));
}

Value loop_attribute(Budget& budget, const Loop& loop, const std::string& name) {
  const auto& items = loop.items->items;
  const auto integer = [](std::size_t n) { return Value(static_cast<std::int64_t>(n)); };
  if (name == "index") return integer(loop.index + 1);
  if (name == "index0") return integer(loop.index);
  if (name == "first") return Value(loop.index == 0);
  if (name == "last") return Value(loop.index + 1 == items.size());
  if (name == "length") return integer(items.size());
  if (name == "revindex") return integer(items.size() - loop.index);
  if (name == "revindex0") return integer(items.size() - loop.index - 1);
  if (name == "depth") return integer(1);  // counts recursion only
  if (name == "depth0") return integer(0);
  if (name == "previtem") {
    return loop.index > 0 ? items[loop.index - 1] : make_undefined("there is no previous item");
  }
  if (name == "nextitem") {
    return loop.index + 1 < items.size() ? items[loop.index + 1]
                                         : make_undefined("there is no next item");
  }
  if (name == "cycle" || name == "changed") fail("loop.{}() is not supported", name);
  budget.step();
  return make_undefined(fmt::format("a loop has no \"{}\"", name));
}

// Methods that change a value: the sandbox hides them, so that they look undefined.
bool is_hidden(const Value& object, std::string_view name) {
  constexpr std::array<std::string_view, 5> kDict = {"clear", "pop", "popitem", "setdefault",
                                                     "update"};
  constexpr std::array<std::string_view, 8> kList = {"append", "clear",  "extend",  "insert",
                                                     "pop",    "remove", "reverse", "sort"};
  if (object.dict()) return std::find(kDict.begin(), kDict.end(), name) != kDict.end();
  return object.sequence() && object.sequence()->kind == SequenceKind::kList &&
         std::find(kList.begin(), kList.end(), name) != kList.end();
}

// What Python finds as an attribute; nothing when it would look for an item.
std::optional<Value> own_attribute(Budget& budget, const Value& object, const std::string& name) {
  if (name.size() >= 2 && name[0] == '_' && name[1] == '_') return missing(object, name);
  if (const auto* loop = object.get_if<LoopPtr>()) return loop_attribute(budget, **loop, name);
  if (const auto* space = object.get_if<Namespace*>()) {
    for (const auto& [key, value] : (*space)->attributes) {
      if (key == name) return value;
    }
    return missing(object, name);
  }
  if (is_hidden(object, name)) {
    return make_undefined(
        fmt::format("the method {}() would change a {}", name, type_name(object)));
  }
  if (has_method(object, name)) {
    if (value_depth(object) >= kMaxValueDepth) {
      fail("values are nested more than {} deep", kMaxValueDepth);
    }
    budget.bytes(sizeof(BoundMethod));
    return Value(MethodPtr(std::make_shared<const BoundMethod>(BoundMethod{object, name})));
  }
  return std::nullopt;
}

}  // namespace

Value get_attribute(Budget& budget, const Value& object, const std::string& name) {
  if (const auto* undefined = object.get_if<Undefined>()) fail_undefined(*undefined);
  if (auto value = own_attribute(budget, object, name)) return *std::move(value);
  if (const Dict* dict = object.dict()) {
    budget.step(1 + dict->items.size() / 16);
    if (const Value* value = dict->find(name)) return *value;
  }
  return missing(object, name);
}

Value get_item(Budget& budget, const Value& object, const Value& index) {
  if (const auto* undefined = object.get_if<Undefined>()) fail_undefined(*undefined);
  if (const Dict* dict = object.dict()) {
    const bool no_key =
        index.dict() || (index.sequence() && index.sequence()->kind != SequenceKind::kTuple);
    if (const Value* value = no_key ? nullptr : find_key(budget, *dict, index)) return *value;
  } else if (const auto at = as_integer(index)) {
    const std::string* text = object.string();
    const Sequence* sequence = object.sequence();
    if (text || (sequence && sequence->indexable())) {
      const auto size = static_cast<std::int64_t>(length(object));
      if (text) budget.step(1 + text->size() / 256);
      const std::int64_t place = *at < 0 ? *at + size : *at;
      if (place >= 0 && place < size) {
        const auto position = static_cast<std::size_t>(place);
        if (sequence) return sequence->items[position];
        std::string_view rest = *text;
        for (std::size_t i = 0; i < position; ++i) rest.remove_prefix(decode_utf8(rest).length);
        return make_string(budget, std::string(rest.substr(0, decode_utf8(rest).length)));
      }
    }
  }
  if (const std::string* name = index.string()) {
    if (auto value = own_attribute(budget, object, *name)) return *std::move(value);
    return missing(object, *name);
  }
  return make_undefined(fmt::format("a {} has no such item", type_name(object)));
}

Bound::Bound(const char* function, const Arguments& arguments,
             std::initializer_list<const char*> names, std::size_t required)
    : function_(function), names_(names), values_(names.size(), nullptr) {
  if (arguments.positional.size() > names_.size()) {
    fail("{} takes at most {} arguments, not {}", function, names_.size(),
         arguments.positional.size());
  }
  for (std::size_t i = 0; i < arguments.positional.size(); ++i) {
    values_[i] = &arguments.positional[i];
  }
  for (const auto& [name, value] : arguments.keyword) {
    const auto at = std::find_if(names_.begin(), names_.end(),
                                 [&n = name](const char* known) { return n == known; });
    if (at == names_.end()) fail("{} has no argument \"{}\"", function, name);
    const auto i = static_cast<std::size_t>(at - names_.begin());
    if (values_[i]) fail("{} is given \"{}\" twice", function, name);
    values_[i] = &value;
  }
  for (std::size_t i = 0; i < required; ++i) {
    if (!values_[i]) fail("{} needs the argument \"{}\"", function, names_[i]);
  }
}

std::int64_t Bound::integer(std::size_t i, std::int64_t fallback) const {
  if (!values_[i]) return fallback;
  const auto number = as_integer(*values_[i]);
  if (!number) {
    fail("\"{}\" of {} must be an integer, not a {}", names_[i], function_, type_name(*values_[i]));
  }
  return *number;
}

bool Bound::flag(std::size_t i, bool fallback) const {
  return values_[i] ? truth(*values_[i]) : fallback;
}

const std::string& Bound::string(std::size_t i) const {
  const std::string* text = values_[i] ? values_[i]->string() : nullptr;
  if (!text) {
    fail("\"{}\" of {} must be a string, not a {}", names_[i], function_,
         values_[i] ? type_name(*values_[i]) : "missing value");
  }
  return *text;
}

}  // namespace laconic::jinja
