// SPDX-License-Identifier: Apache-2.0
// Values of a template, with Python's truth, equality, order and text.
//
// Strings, lists and mappings never change once built (the sandbox of transformers is immutable
// too), so values share them; only a namespace can be written to, and the render owns those. So no
// cycle of shared ownership can arise, and every container knows its depth, which is bounded.
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "text/jinja_limits.h"

namespace laconic::jinja {

struct Sequence;
struct Dict;
struct Namespace;
struct Loop;
struct BoundMethod;
struct MacroStatement;

// What a missing name or attribute gives: empty text, false, no items; everything else fails.
struct Undefined {
  std::shared_ptr<const std::string> what;  // the sentence of the failure; may be empty
};
struct None {};
enum class Builtin { kRange, kDict, kNamespace, kRaiseException, kStrftimeNow };

using StringPtr = std::shared_ptr<const std::string>;
// What the filters safe and escape give. Jinja escapes whatever is joined to such a string; here it
// may be printed, and everything else is a Failure.
struct Markup {
  StringPtr text;
};
using SequencePtr = std::shared_ptr<const Sequence>;
using DictPtr = std::shared_ptr<const Dict>;
using LoopPtr = std::shared_ptr<Loop>;
using MethodPtr = std::shared_ptr<const BoundMethod>;

struct Value {
  std::variant<Undefined, None, bool, std::int64_t, double, StringPtr, Markup, SequencePtr, DictPtr,
               LoopPtr, MethodPtr, Namespace*, const MacroStatement*, Builtin>
      data;

  Value() = default;  // undefined
  template <typename T>
  explicit Value(T value) : data(std::move(value)) {}

  template <typename T>
  const T* get_if() const {
    return std::get_if<T>(&data);
  }
  template <typename T>
  bool is() const {
    return std::holds_alternative<T>(data);
  }
  // The parts most asked for; null when the value is something else.
  const std::string* string() const;
  const Sequence* sequence() const;
  const Dict* dict() const;
};

// Python's types that hold items in order. They share all but their names, what may be indexed, and
// that a generator can be walked once only.
enum class SequenceKind { kList, kTuple, kRange, kKeys, kValues, kItems, kGenerator };

struct Sequence {
  SequenceKind kind = SequenceKind::kList;
  std::vector<Value> items;
  std::size_t depth = 1;
  mutable bool spent = false;  // a generator that was walked
  bool indexable() const { return kind <= SequenceKind::kRange; }
};

struct Dict {
  std::vector<std::pair<Value, Value>> items;  // in order of insertion, keys unique
  std::size_t depth = 1;
  const Value* find(std::string_view key) const;
};

struct Namespace {
  std::vector<std::pair<std::string, Value>> attributes;
};

// The `loop` of a for statement.
struct Loop {
  SequencePtr items;
  std::size_t index = 0;
};

struct BoundMethod {
  Value self;
  std::string name;
};

Value make_string(Budget& budget, std::string text);
Value make_sequence(Budget& budget, std::vector<Value> items,
                    SequenceKind kind = SequenceKind::kList);
// Later values replace earlier ones of an equal key. A list as key is a Failure.
Value make_dict(Budget& budget, std::vector<std::pair<Value, Value>> items);
Value make_undefined(std::string what);
std::size_t value_depth(const Value& value);

Value from_json(Budget& budget, const nlohmann::ordered_json& document);

// The name Python has for the value's type, for messages.
std::string type_name(const Value& value);

bool truth(const Value& value);
bool equal(Budget& budget, const Value& a, const Value& b);
// Negative, zero or positive; a Failure for types that Python does not order.
int compare(Budget& budget, const Value& a, const Value& b);
const Value* find_key(Budget& budget, const Dict& dict, const Value& key);

// bool, integer and float as a number; nothing for other types.
std::optional<double> as_number(const Value& value);
// bool and integer.
std::optional<std::int64_t> as_integer(const Value& value);
// as_integer, or a Failure that names `what`.
std::int64_t need_integer(const Value& value, const char* what);

// str(value): what `{{ value }}` prints. Functions and the like have no stable text: a Failure.
std::string to_text(Budget& budget, const Value& value);
std::string repr(Budget& budget, const Value& value);

// The items that `for` walks over: characters of a string, keys of a mapping, nothing of undefined.
SequencePtr iterate(Budget& budget, const Value& value);
std::size_t length(const Value& value);  // len(value)

}  // namespace laconic::jinja
