// SPDX-License-Identifier: Apache-2.0
#include "cli/values.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <limits>
#include <system_error>

#include "base/error.h"
#include "base/file.h"

namespace laconic::cli {
namespace {

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

// The whole of `text` as a T; false for anything else.
template <typename T>
bool parse_whole(std::string_view text, T& out) {
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, out);
  return error == std::errc() && stop == end && !text.empty();
}

template <typename T>
std::vector<T> parse_list(std::string_view text, std::string_view flag, std::string_view example) {
  std::vector<T> values;
  for (std::string_view rest = text;;) {
    const auto comma = rest.find(',');
    T value{};
    if (!parse_whole(trim(rest.substr(0, comma)), value)) {
      throw_usage("{} is \"{}\"; expected whole numbers with commas between them, like {}", flag,
                  text, example);
    }
    values.push_back(value);
    if (comma == std::string_view::npos) return values;
    rest.remove_prefix(comma + 1);
  }
}

}  // namespace

std::size_t parse_size(std::string_view text, std::string_view flag) {
  std::string_view number = trim(text);
  double scale = 1;
  if (number.size() > 1 && (number.back() == 'B' || number.back() == 'b')) number.remove_suffix(1);
  if (number.size() > 1 && number.back() == 'i') number.remove_suffix(1);
  if (!number.empty()) {
    constexpr std::string_view kUnits = "kKmMgGtT";
    if (const auto unit = kUnits.find(number.back()); unit != std::string_view::npos) {
      scale = std::pow(1024.0, static_cast<double>(unit / 2 + 1));
      number.remove_suffix(1);
    }
  }
  double value = 0;
  // 2^53 bytes is far above any machine and still exact.
  const bool read = parse_whole(number, value) && std::isfinite(value);
  if (!read || value * scale < 1 || value * scale > 9007199254740992.0) {
    throw_usage("{} is \"{}\"; expected a size above zero, like 512M or 4G", flag, text);
  }
  return static_cast<std::size_t>(value * scale);
}

std::vector<std::size_t> parse_counts(std::string_view text, std::string_view flag) {
  return parse_list<std::size_t>(text, flag, "0,8192");
}

std::vector<std::int32_t> parse_ids(std::string_view text, std::string_view flag) {
  std::string_view list = trim(text);
  if (list.size() >= 2 && list.front() == '[' && list.back() == ']') {
    list = trim(list.substr(1, list.size() - 2));
    if (list.empty()) return {};
  }
  return parse_list<std::int32_t>(list, flag, "1,2,3");
}

std::string readable_bytes(double bytes) {
  constexpr std::array<const char*, 5> kUnits = {"B", "KiB", "MiB", "GiB", "TiB"};
  std::size_t unit = 0;
  for (; bytes >= 1024 && unit + 1 < kUnits.size(); ++unit) bytes /= 1024;
  return unit == 0 ? fmt::format("{:.0f} B", bytes) : fmt::format("{:.1f} {}", bytes, kUnits[unit]);
}

std::string read_text(const std::string& path) {
  return path == "-" ? read_descriptor(STDIN_FILENO, "standard input") : read_stream(path);
}

std::string read_prompt_text(const std::string& path) {
  std::string text = read_text(path);
  if (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

void require_parent_folder(const std::string& path, std::string_view flag) {
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  std::error_code ignored;
  if (!folder.empty() && !std::filesystem::is_directory(folder, ignored)) {
    throw_input("{} {} cannot be written: there is no folder {}", flag, path, folder.string());
  }
}

}  // namespace laconic::cli
