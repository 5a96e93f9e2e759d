// SPDX-License-Identifier: Apache-2.0
// Filters, tests and methods: functions on values, found by name.
//
// Each behaves as Jinja's or Python's of that name, in the environment of transformers (tojson
// writes plain JSON, without escapes for HTML). What is not listed is not found.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/jinja_value.h"

namespace laconic::jinja {

struct Arguments {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> keyword;
};

using FilterFunction = Value (*)(Budget&, const Value& input, const Arguments&);
using TestFunction = bool (*)(Budget&, const Value& input, const Arguments&);

FilterFunction find_filter(std::string_view name);  // null: unknown
FilterFunction find_sequence_filter(std::string_view name);
TestFunction find_test(std::string_view name);

// object.name and object[index] as Jinja looks them up; undefined when absent.
Value get_attribute(Budget& budget, const Value& object, const std::string& name);
Value get_item(Budget& budget, const Value& object, const Value& index);

// A bound method of a string, list or mapping.
Value call_method(Budget& budget, const BoundMethod& method, const Arguments& arguments);
// Whether the type has this method; undefined values and the like have none.
bool has_method(const Value& self, std::string_view name);

// json.dumps without ASCII escapes. `indent` is what stands for one level; null: one line.
std::string to_json(Budget& budget, const Value& value, const std::string* indent,
                    std::string_view item_separator, std::string_view key_separator,
                    bool sort_keys);

// Arguments by position or name. values()[i] is null where none was given.
class Bound {
 public:
  Bound(const char* function, const Arguments& arguments, std::initializer_list<const char*> names,
        std::size_t required = 0);
  const Value* operator[](std::size_t i) const { return values_[i]; }
  std::int64_t integer(std::size_t i, std::int64_t fallback) const;
  bool flag(std::size_t i, bool fallback) const;
  // The text of a string argument; another type is a Failure.
  const std::string& string(std::size_t i) const;

 private:
  const char* function_;
  std::vector<const char*> names_;
  std::vector<const Value*> values_;
};

}  // namespace laconic::jinja
