// SPDX-License-Identifier: Apache-2.0
// One object of a recipe: reads its keys with their ranges, and refuses keys that mean nothing
// there.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace laconic::train {

struct Range {
  double low = 0, high = 0;
  bool above_low = false;  // low itself is not allowed
};

class RecipeSection {
 public:
  // Error(kInput) when `object` is none, or has a key that is not in `keys`. `place` is the path
  // from the root ("data.curriculum"; "" for the root), `file` names the recipe.
  RecipeSection(const Json& object, std::string file, std::string place,
                std::initializer_list<std::string_view> keys);

  bool has(std::string_view key) const;

  // Error(kInput) names key, value and range. Without a fallback the key is required.
  double number(const char* key, const Range& range, std::optional<double> fallback = {}) const;
  // A whole number; 2e8 is one too.
  std::uint64_t count(const char* key, std::uint64_t low, std::uint64_t high,
                      std::optional<std::uint64_t> fallback = {}) const;
  std::string text(const char* key, std::optional<std::string> fallback = {}) const;
  // One of `allowed`.
  std::string choice(const char* key, std::initializer_list<std::string_view> allowed,
                     std::optional<std::string> fallback = {}) const;
  bool flag(const char* key, bool fallback) const;
  std::vector<std::string> texts(const char* key) const;  // empty when the key is absent
  Json object(const char* key) const;                     // of any type: a section checks it

  std::string place_of(std::string_view key) const;  // "data.curriculum.start"
  const std::string& file() const { return file_; }

 private:
  const Json& value(const char* key) const;  // Error(kInput) when absent
  Json object_;
  std::string file_, place_;
};

}  // namespace laconic::train
