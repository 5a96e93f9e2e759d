// SPDX-License-Identifier: Apache-2.0
// Names and their values: a chain of scopes, innermost first.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/jinja_value.h"

namespace laconic::jinja {

class Scope {
 public:
  explicit Scope(const Scope* outer) : outer_(outer) {}

  void set(std::string_view name, Value value) {
    for (auto& [known, slot] : names_) {
      if (known != name) continue;
      slot = std::move(value);
      return;
    }
    names_.emplace_back(name, std::move(value));
  }
  // Null: not a name of a template or its context.
  const Value* find(std::string_view name) const {
    for (const Scope* scope = this; scope; scope = scope->outer_) {
      for (const auto& [known, value] : scope->names_) {
        if (known == name) return &value;
      }
    }
    return nullptr;
  }

 private:
  const Scope* outer_;
  // Views of names in the tree or the context, which both outlive every scope.
  std::vector<std::pair<std::string_view, Value>> names_;
};

}  // namespace laconic::jinja
