// SPDX-License-Identifier: Apache-2.0
#include "text/jinja_value.h"

#include <algorithm>

#include "base/utf8.h"
#include "text/jinja_text.h"

namespace laconic::jinja {
namespace {

std::size_t checked_depth(std::size_t depth) {
  if (depth > kMaxValueDepth) fail("values are nested more than {} deep", kMaxValueDepth);
  return depth;
}

bool hashable(const Value& value) {
  if (value.dict()) return false;
  const Sequence* sequence = value.sequence();
  return !sequence || (sequence->kind == SequenceKind::kTuple &&
                       std::all_of(sequence->items.begin(), sequence->items.end(), hashable));
}

Value json_value(Budget& budget, const nlohmann::ordered_json& document, std::size_t level) {
  checked_depth(level);
  switch (document.type()) {
    case nlohmann::ordered_json::value_t::null:
      return Value(None{});
    case nlohmann::ordered_json::value_t::boolean:
      return Value(document.get<bool>());
    case nlohmann::ordered_json::value_t::number_integer:
      return Value(document.get<std::int64_t>());
    case nlohmann::ordered_json::value_t::number_unsigned: {
      const auto number = document.get<std::uint64_t>();
      if (number > static_cast<std::uint64_t>(INT64_MAX)) {
        fail("the number {} does not fit into 64 bits with a sign", number);
      }
      return Value(static_cast<std::int64_t>(number));
    }
    case nlohmann::ordered_json::value_t::number_float:
      return Value(document.get<double>());
    case nlohmann::ordered_json::value_t::string:
      return make_string(budget, sanitize_utf8(document.get_ref<const std::string&>()));
    case nlohmann::ordered_json::value_t::array: {
      std::vector<Value> items;
      items.reserve(document.size());
      for (const auto& item : document) items.push_back(json_value(budget, item, level + 1));
      return make_sequence(budget, std::move(items));
    }
    case nlohmann::ordered_json::value_t::object: {
      // Keys of a JSON object are unique already: no search as make_dict does.
      auto dict = std::make_shared<Dict>();
      budget.bytes(document.size(), sizeof(std::pair<Value, Value>));
      for (const auto& [key, item] : document.items()) {
        Value value = json_value(budget, item, level + 1);
        dict->depth = std::max(dict->depth, 1 + value_depth(value));
        dict->items.emplace_back(make_string(budget, sanitize_utf8(key)), std::move(value));
      }
      return Value(DictPtr(std::move(dict)));
    }
    default:
      fail("the context holds binary data");
  }
}

}  // namespace

const std::string* Value::string() const {
  const auto* pointer = get_if<StringPtr>();
  return pointer ? pointer->get() : nullptr;
}

const Sequence* Value::sequence() const {
  const auto* pointer = get_if<SequencePtr>();
  return pointer ? pointer->get() : nullptr;
}

const Dict* Value::dict() const {
  const auto* pointer = get_if<DictPtr>();
  return pointer ? pointer->get() : nullptr;
}

const Value* Dict::find(std::string_view key) const {
  for (const auto& [name, value] : items) {
    const std::string* text = name.string();
    if (text && *text == key) return &value;
  }
  return nullptr;
}

Value make_string(Budget& budget, std::string text) {
  budget.bytes(text.size() + sizeof(std::string));
  return Value(StringPtr(std::make_shared<const std::string>(std::move(text))));
}

Value make_sequence(Budget& budget, std::vector<Value> items, SequenceKind kind) {
  budget.bytes(items.size() + 1, sizeof(Value));
  auto sequence = std::make_shared<Sequence>();
  for (const Value& item : items) {
    sequence->depth = std::max(sequence->depth, 1 + value_depth(item));
  }
  checked_depth(sequence->depth);
  sequence->kind = kind;
  sequence->items = std::move(items);
  return Value(SequencePtr(std::move(sequence)));
}

Value make_dict(Budget& budget, std::vector<std::pair<Value, Value>> items) {
  budget.bytes(items.size() + 1, sizeof(std::pair<Value, Value>));
  auto dict = std::make_shared<Dict>();
  for (auto& [key, value] : items) {
    if (!hashable(key)) fail("a {} cannot be the key of a mapping", type_name(key));
    dict->depth = std::max({dict->depth, 1 + value_depth(key), 1 + value_depth(value)});
    if (const Value* found = find_key(budget, *dict, key)) {
      const auto at = std::find_if(dict->items.begin(), dict->items.end(),
                                   [&](const auto& item) { return &item.second == found; });
      at->second = std::move(value);
    } else {
      dict->items.emplace_back(std::move(key), std::move(value));
    }
  }
  checked_depth(dict->depth);
  return Value(DictPtr(std::move(dict)));
}

Value make_undefined(std::string what) {
  return Value(Undefined{std::make_shared<const std::string>(std::move(what))});
}

std::size_t value_depth(const Value& value) {
  if (const Sequence* sequence = value.sequence()) return sequence->depth;
  if (const Dict* dict = value.dict()) return dict->depth;
  if (const auto* loop = value.get_if<LoopPtr>()) return (*loop)->items->depth + 1;
  if (const auto* method = value.get_if<MethodPtr>()) return value_depth((*method)->self) + 1;
  return 0;
}

Value from_json(Budget& budget, const nlohmann::ordered_json& document) {
  return json_value(budget, document, 0);
}

std::string type_name(const Value& value) {
  struct Namer {
    std::string operator()(const Undefined&) const { return "undefined value"; }
    std::string operator()(const None&) const { return "none"; }
    std::string operator()(bool) const { return "boolean"; }
    std::string operator()(std::int64_t) const { return "integer"; }
    std::string operator()(double) const { return "float"; }
    std::string operator()(const StringPtr&) const { return "string"; }
    std::string operator()(const Markup&) const { return "safe string"; }
    std::string operator()(const SequencePtr& sequence) const {
      switch (sequence->kind) {
        case SequenceKind::kList:
          return "list";
        case SequenceKind::kTuple:
          return "tuple";
        case SequenceKind::kRange:
          return "range";
        case SequenceKind::kGenerator:
          return "generator";
        default:
          return "mapping view";
      }
    }
    std::string operator()(const DictPtr&) const { return "mapping"; }
    std::string operator()(const LoopPtr&) const { return "loop"; }
    std::string operator()(const MethodPtr& method) const { return "method " + method->name; }
    std::string operator()(Namespace*) const { return "namespace"; }
    std::string operator()(const MacroStatement*) const { return "macro"; }
    std::string operator()(Builtin) const { return "function"; }
  };
  return std::visit(Namer{}, value.data);
}

const Value* find_key(Budget& budget, const Dict& dict, const Value& key) {
  budget.step(1 + dict.items.size() / 16);
  if (const std::string* text = key.string()) return dict.find(*text);
  if (!hashable(key)) fail("a {} cannot be the key of a mapping", type_name(key));
  for (const auto& [name, value] : dict.items) {
    if (equal(budget, name, key)) return &value;
  }
  return nullptr;
}

std::optional<std::int64_t> as_integer(const Value& value) {
  if (const auto* flag = value.get_if<bool>()) return *flag ? 1 : 0;
  if (const auto* number = value.get_if<std::int64_t>()) return *number;
  return std::nullopt;
}

std::optional<double> as_number(const Value& value) {
  if (const auto* number = value.get_if<double>()) return *number;
  if (const auto number = as_integer(value)) return static_cast<double>(*number);
  return std::nullopt;
}

std::int64_t need_integer(const Value& value, const char* what) {
  const auto number = as_integer(value);
  if (!number) fail("{} must be an integer, not a {}", what, type_name(value));
  return *number;
}

SequencePtr iterate(Budget& budget, const Value& value) {
  if (const auto* sequence = value.get_if<SequencePtr>()) {
    if ((*sequence)->kind != SequenceKind::kGenerator) return *sequence;
    if ((*sequence)->spent) return std::make_shared<const Sequence>();
    (*sequence)->spent = true;
    return *sequence;
  }
  std::vector<Value> items;
  if (const std::string* text = value.string()) {
    std::string_view rest = *text;
    budget.bytes(count_code_points(rest), sizeof(Value));
    while (!rest.empty()) {
      const std::size_t size = decode_utf8(rest).length;
      items.push_back(make_string(budget, std::string(rest.substr(0, size))));
      rest.remove_prefix(size);
    }
  } else if (const Dict* dict = value.dict()) {
    budget.bytes(dict->items.size(), sizeof(Value));
    for (const auto& [key, item] : dict->items) items.push_back(key);
  } else if (!value.is<Undefined>()) {
    fail("a {} has no items to walk over", type_name(value));
  }
  return *make_sequence(budget, std::move(items)).get_if<SequencePtr>();
}

std::size_t length(const Value& value) {
  if (const std::string* text = value.string()) return count_code_points(*text);
  if (const Dict* dict = value.dict()) return dict->items.size();
  if (const Sequence* sequence = value.sequence()) {
    if (sequence->kind != SequenceKind::kGenerator) return sequence->items.size();
  }
  if (const auto* loop = value.get_if<LoopPtr>()) return (*loop)->items->items.size();
  if (value.is<Undefined>()) return 0;
  fail("a {} has no length", type_name(value));
}

}  // namespace laconic::jinja
