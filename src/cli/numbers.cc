// SPDX-License-Identifier: Apache-2.0
#include "cli/numbers.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cmath>
#include <system_error>
#include <utility>

#include "base/error.h"

namespace laconic::cli {
namespace {

// "-n,--n-predict,--max-tokens" -> "--n-predict".
std::string first_long_name(const std::string& names) {
  const auto begin = std::min(names.find("--"), names.size());
  return begin == names.size() ? names : names.substr(begin, names.find(',', begin) - begin);
}

bool is_whole_number(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

template <typename T>
T parse(std::string_view text, std::string_view flag, T low, T high) {
  if (!is_whole_number(text)) throw_usage("{} is \"{}\"; expected a whole number", flag, text);
  T value{};
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || stop != text.data() + text.size() || value < low || value > high) {
    throw_usage("{} {} is out of range: {} to {}", flag, text, low, high);
  }
  return value;
}

}  // namespace

std::int64_t parse_integer(std::string_view text, std::string_view flag, std::int64_t low,
                           std::int64_t high) {
  return parse(text, flag, low, high);
}

std::uint64_t parse_unsigned(std::string_view text, std::string_view flag, std::uint64_t low,
                             std::uint64_t high) {
  return parse(text, flag, low, high);
}

double parse_number(std::string_view text, std::string_view flag) {
  double value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || stop != text.data() + text.size() || !std::isfinite(value)) {
    throw_usage("{} is \"{}\"; expected a number", flag, text);
  }
  return value;
}

CLI::Option* add_text_option(CLI::App& app, const std::string& names, const std::string& help,
                             SetFromText set) {
  const auto hand_over = [set = std::move(set), flag = first_long_name(names)](
                             const std::string& text) { set(text, flag); };
  return app.add_option_function<std::string>(names, hand_over, help)->type_name("N");
}

}  // namespace laconic::cli
