// SPDX-License-Identifier: Apache-2.0
#include <limits>

#include "base/error.h"
#include "io/gguf.h"
#include "io/printable.h"

namespace laconic {
namespace {

std::string_view kind_of(const GgufValue& value) {
  static constexpr std::string_view kKinds[] = {
      "an unsigned integer",
      "a signed integer",
      "a float",
      "a boolean",
      "a string",
      "an array of unsigned integers",
      "an array of signed integers",
      "an array of floats",
      "an array of booleans",
      "an array of strings",
  };
  static_assert(std::size(kKinds) == std::variant_size_v<GgufValue>);
  return kKinds[value.index()];
}

[[noreturn]] void refuse(std::string_view key, const GgufValue& value, std::string_view expected) {
  throw_input("GGUF key {} is {}, {} is expected", printable(key), kind_of(value), expected);
}

const GgufValue* find(const GgufMetadata& m, std::string_view key) {
  const auto found = m.find(key);
  return found == m.end() ? nullptr : &found->second;
}

// The value as exactly T; nothing when missing.
template <typename T>
const T* exactly(const GgufMetadata& m, std::string_view key, std::string_view expected) {
  const GgufValue* value = find(m, key);
  if (value == nullptr) return nullptr;
  const T* held = std::get_if<T>(value);
  if (held == nullptr) refuse(key, *value, expected);
  return held;
}

}  // namespace

std::optional<std::uint64_t> gguf_uint(const GgufMetadata& m, std::string_view key) {
  const GgufValue* value = find(m, key);
  if (value == nullptr) return std::nullopt;
  if (const auto* held = std::get_if<std::uint64_t>(value)) return *held;
  const auto* held = std::get_if<std::int64_t>(value);
  if (held == nullptr) refuse(key, *value, "an unsigned integer");
  if (*held < 0) throw_input("GGUF key {} is {}, it must not be negative", printable(key), *held);
  return static_cast<std::uint64_t>(*held);
}

std::optional<double> gguf_float(const GgufMetadata& m, std::string_view key) {
  const GgufValue* value = find(m, key);
  if (value == nullptr) return std::nullopt;
  if (const auto* held = std::get_if<double>(value)) return *held;
  if (const auto* held = std::get_if<std::uint64_t>(value)) return static_cast<double>(*held);
  if (const auto* held = std::get_if<std::int64_t>(value)) return static_cast<double>(*held);
  refuse(key, *value, "a float");
}

std::optional<bool> gguf_bool(const GgufMetadata& m, std::string_view key) {
  const auto* held = exactly<bool>(m, key, "a boolean");
  return held == nullptr ? std::nullopt : std::optional(*held);
}

std::optional<std::string> gguf_string(const GgufMetadata& m, std::string_view key) {
  const auto* held = exactly<std::string>(m, key, "a string");
  return held == nullptr ? std::nullopt : std::optional(*held);
}

const std::vector<std::string>* gguf_strings(const GgufMetadata& m, std::string_view key) {
  return exactly<std::vector<std::string>>(m, key, "an array of strings");
}

std::optional<std::vector<double>> gguf_floats(const GgufMetadata& m, std::string_view key) {
  const GgufValue* value = find(m, key);
  if (value == nullptr) return std::nullopt;
  if (const auto* held = std::get_if<std::vector<double>>(value)) return *held;
  if (const auto* held = std::get_if<std::vector<std::uint64_t>>(value)) {
    return std::vector<double>(held->begin(), held->end());
  }
  if (const auto* held = std::get_if<std::vector<std::int64_t>>(value)) {
    return std::vector<double>(held->begin(), held->end());
  }
  refuse(key, *value, "an array of floats");
}

std::optional<std::vector<std::int64_t>> gguf_ints(const GgufMetadata& m, std::string_view key) {
  const GgufValue* value = find(m, key);
  if (value == nullptr) return std::nullopt;
  if (const auto* held = std::get_if<std::vector<std::int64_t>>(value)) return *held;
  const auto* held = std::get_if<std::vector<std::uint64_t>>(value);
  if (held == nullptr) refuse(key, *value, "an array of integers");
  std::vector<std::int64_t> out;
  out.reserve(held->size());
  for (const std::uint64_t item : *held) {
    if (item > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
      throw_input("GGUF key {} holds {}, at most 2^63 - 1 is expected", printable(key), item);
    }
    out.push_back(static_cast<std::int64_t>(item));
  }
  return out;
}

}  // namespace laconic
