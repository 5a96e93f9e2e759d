// SPDX-License-Identifier: Apache-2.0
// Options whose value is one number. The whole word must be that number, in decimal: "010" is ten,
// and "0x10", "+5", " 5" and "" are nothing. Error(kUsage) names the option, the word, and what is
// allowed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <string_view>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace laconic::cli {

// Counts end where positions do.
inline constexpr std::size_t kMostCount = std::numeric_limits<std::int32_t>::max();

std::int64_t parse_integer(std::string_view text, std::string_view flag, std::int64_t low,
                           std::int64_t high);
std::uint64_t parse_unsigned(std::string_view text, std::string_view flag, std::uint64_t low,
                             std::uint64_t high);
double parse_number(std::string_view text, std::string_view flag);

// An option that hands its word, and the longest way to write it, to `set`.
using SetFromText = std::function<void(const std::string& text, const std::string& flag)>;
CLI::Option* add_text_option(CLI::App& app, const std::string& names, const std::string& help,
                             SetFromText set);

// Targets are numbers or std::optional of them.
template <typename Target>
CLI::Option* add_count(CLI::App& app, const std::string& names, Target& target, std::size_t low,
                       std::size_t high, const std::string& help) {
  return add_text_option(app, names, help,
                         [&target, low, high](const std::string& text, const std::string& flag) {
                           target = parse_unsigned(text, flag, low, high);
                         });
}

template <typename Target>
CLI::Option* add_number(CLI::App& app, const std::string& names, Target& target,
                        const std::string& help) {
  return add_text_option(app, names, help,
                         [&target](const std::string& text, const std::string& flag) {
                           target = parse_number(text, flag);
                         });
}

// 0 or more, or -1 for no limit.
template <typename Target>
CLI::Option* add_limit(CLI::App& app, const std::string& names, Target& target,
                       const std::string& help) {
  return add_text_option(
      app, names, help, [&target](const std::string& text, const std::string& flag) {
        target = parse_integer(text, flag, -1, static_cast<std::int64_t>(kMostCount));
      });
}

}  // namespace laconic::cli
