// SPDX-License-Identifier: Apache-2.0
// JSON with errors that name the document and the field.
#pragma once

#include <fmt/format.h>

#include <cstddef>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace laconic {

using Json = nlohmann::json;

// Arrays and objects within each other. Copies and writers call themselves for each level, and what
// a file says must not use up the stack; no document that is read here comes near it.
inline constexpr std::size_t kMostJsonLevels = 128;

// Parses `text`; `where` names the document in the error ("config.json of DIR").
// Error(kInput) for bad syntax and for what nests deeper than kMostJsonLevels; a parsed document is
// never half-read.
Json parse_json(std::string_view text, std::string_view where);

// document[key] as T. Missing or null gives nothing; another type is an Error(kInput).
template <typename T>
std::optional<T> json_optional(const Json& document, const char* key, std::string_view where) {
  if (!document.is_object()) throw_input("{}: an object is expected", where);
  const auto found = document.find(key);
  if (found == document.end() || found->is_null()) return std::nullopt;
  try {
    if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
      if (!found->is_number_integer()) throw_input("{}: \"{}\" must be an integer", where, key);
      if constexpr (std::is_unsigned_v<T>) {
        if (found->is_number_integer() && !found->is_number_unsigned() &&
            found->template get<std::int64_t>() < 0) {
          throw_input("{}: \"{}\" must not be negative", where, key);
        }
      }
    }
    return found->template get<T>();
  } catch (const nlohmann::json::exception&) {
    throw_input("{}: \"{}\" has an unexpected type ({})", where, key, found->type_name());
  }
}

// The same, required.
template <typename T>
T json_required(const Json& document, const char* key, std::string_view where) {
  auto value = json_optional<T>(document, key, where);
  if (!value) throw_input("{}: \"{}\" is missing", where, key);
  return *std::move(value);
}

}  // namespace laconic
