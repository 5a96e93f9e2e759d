// SPDX-License-Identifier: Apache-2.0
#include "train/recipe_section.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace laconic::train {
namespace {

// Whole numbers beyond this have neighbours that a JSON number cannot tell apart.
constexpr double kLargestExact = 9007199254740992.0;  // 2^53

}  // namespace

RecipeSection::RecipeSection(const Json& object, std::string file, std::string place,
                             std::initializer_list<std::string_view> keys)
    : object_(object), file_(std::move(file)), place_(std::move(place)) {
  const std::string here = place_.empty() ? "the recipe" : "\"" + place_ + "\"";
  if (!object_.is_object()) {
    throw_input("{}: {} must be an object, not {}", file_, here, object_.type_name());
  }
  for (const auto& [key, ignored] : object_.items()) {
    if (std::find(keys.begin(), keys.end(), key) == keys.end()) {
      throw_input("{}: \"{}\" is not a key of {}: {} are", file_, key, here, fmt::join(keys, ", "));
    }
  }
}

bool RecipeSection::has(std::string_view key) const { return object_.contains(key); }

std::string RecipeSection::place_of(std::string_view key) const {
  return place_.empty() ? std::string(key) : fmt::format("{}.{}", place_, key);
}

const Json& RecipeSection::value(const char* key) const {
  const auto found = object_.find(key);
  if (found == object_.end()) throw_input("{}: \"{}\" is missing", file_, place_of(key));
  return *found;
}

double RecipeSection::number(const char* key, const Range& range,
                             std::optional<double> fallback) const {
  if (fallback && !has(key)) return *fallback;
  const Json& found = value(key);
  const double number = found.is_number() ? found.get<double>() : std::nan("");
  const bool low_enough = range.above_low ? number > range.low : number >= range.low;
  if (!low_enough || !(number <= range.high)) {
    throw_input("{}: \"{}\" is {}, a number {} {} and at most {} is allowed", file_, place_of(key),
                found.dump(), range.above_low ? "above" : "from", range.low, range.high);
  }
  return number;
}

std::uint64_t RecipeSection::count(const char* key, std::uint64_t low, std::uint64_t high,
                                   std::optional<std::uint64_t> fallback) const {
  if (fallback && !has(key)) return *fallback;
  const Json& found = value(key);
  bool allowed = false;
  std::uint64_t number = 0;
  if (found.is_number_integer()) {
    allowed = found.is_number_unsigned() || found.get<std::int64_t>() >= 0;
    if (allowed) number = found.get<std::uint64_t>();
  } else if (found.is_number_float()) {
    const double as_double = found.get<double>();
    allowed = as_double >= 0 && as_double <= kLargestExact && as_double == std::floor(as_double);
    if (allowed) number = static_cast<std::uint64_t>(as_double);
  }
  if (!allowed || number < low || number > high) {
    throw_input("{}: \"{}\" is {}, a whole number from {} to {} is allowed", file_, place_of(key),
                found.dump(), low, high);
  }
  return number;
}

std::string RecipeSection::text(const char* key, std::optional<std::string> fallback) const {
  if (fallback && !has(key)) return *fallback;
  const Json& found = value(key);
  if (!found.is_string() || found.get_ref<const std::string&>().empty()) {
    throw_input("{}: \"{}\" is {}, a text is expected", file_, place_of(key), found.dump());
  }
  return found.get<std::string>();
}

std::string RecipeSection::choice(const char* key, std::initializer_list<std::string_view> allowed,
                                  std::optional<std::string> fallback) const {
  const std::string chosen = text(key, std::move(fallback));
  if (std::find(allowed.begin(), allowed.end(), chosen) == allowed.end()) {
    throw_input("{}: \"{}\" is \"{}\", one of {} is allowed", file_, place_of(key), chosen,
                fmt::join(allowed, ", "));
  }
  return chosen;
}

bool RecipeSection::flag(const char* key, bool fallback) const {
  if (!has(key)) return fallback;
  const Json& found = value(key);
  if (!found.is_boolean()) {
    throw_input("{}: \"{}\" is {}, true or false is expected", file_, place_of(key), found.dump());
  }
  return found.get<bool>();
}

std::vector<std::string> RecipeSection::texts(const char* key) const {
  std::vector<std::string> all;
  if (!has(key)) return all;
  const Json& found = value(key);
  const auto is_text = [](const Json& item) { return item.is_string(); };
  if (!found.is_array() || found.empty() || !std::all_of(found.begin(), found.end(), is_text)) {
    throw_input("{}: \"{}\" is {}, a list of texts is expected", file_, place_of(key),
                found.dump());
  }
  return found.get<std::vector<std::string>>();
}

Json RecipeSection::object(const char* key) const { return value(key); }

}  // namespace laconic::train
