// SPDX-License-Identifier: Apache-2.0
#include "io/head_table.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <system_error>

#include "base/error.h"
#include "base/file.h"
#include "io/printable.h"

namespace laconic {
namespace {

// Far above any model (a hundred layers, a hundred KV heads), far below what hurts: a file of that
// size is something else.
constexpr std::size_t kMostBytes = std::size_t{1} << 24;
constexpr std::size_t kMostLayers = 4096, kMostHeads = 4096;

constexpr const char* kRlkvName = "adapter_weights.tsv";
constexpr const char* kDuoName = "full_attention_heads.tsv";

// What comes before `separator`, which goes too; all of it where there is none.
std::string_view take(std::string_view& text, char separator) {
  const std::size_t end = std::min(text.find(separator), text.size());
  const std::string_view part = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return part;
}

std::size_t count_fields(std::string_view line) {
  return static_cast<std::size_t>(std::count(line.begin(), line.end(), '\t')) + 1;
}

double parse_score(std::string_view field, std::string_view where, std::size_t line,
                   std::size_t column) {
  double score = 0;
  const char* end = field.data() + field.size();
  const auto [stop, failure] = std::from_chars(field.data(), end, score);
  if (failure != std::errc() || stop != end || !std::isfinite(score)) {
    throw_input(
        "{}: line {}, column {}: {} is not a finite decimal number; a line holds one score per KV "
        "head, with tabs between them",
        where, line, column, printable(field));
  }
  return score;
}

}  // namespace

HeadTable parse_head_table(std::string_view text, std::string_view where) {
  while (text.ends_with('\n') || text.ends_with('\r')) text.remove_suffix(1);
  if (text.empty()) {
    throw_input("{}: the table is empty; it has one line per layer and one score per KV head",
                where);
  }
  HeadTable table;
  while (!text.empty()) {
    std::string_view line = take(text, '\n');
    if (line.ends_with('\r')) line.remove_suffix(1);
    const std::size_t number = table.layers + 1, fields = count_fields(line);
    if (number > kMostLayers) {
      throw_input("{}: the table has more than {} lines; it has one per layer", where, kMostLayers);
    }
    if (fields > kMostHeads) {
      throw_input("{}: line {} has {} columns; at most {} KV heads are read", where, number, fields,
                  kMostHeads);
    }
    for (std::size_t column = 1; column <= fields; ++column) {
      table.scores.push_back(parse_score(take(line, '\t'), where, number, column));
    }
    if (number == 1) table.kv_heads = fields;
    if (fields != table.kv_heads) {
      throw_input("{}: line {} has {} scores and line 1 has {}; all layers have as many KV heads",
                  where, number, fields, table.kv_heads);
    }
    table.layers = number;
  }
  return table;
}

std::filesystem::path head_table_file(const std::filesystem::path& path) {
  std::error_code ignored;
  if (!std::filesystem::is_directory(path, ignored)) return path;
  const std::filesystem::path rlkv = path / kRlkvName, duo = path / kDuoName;
  const bool has_rlkv = std::filesystem::exists(rlkv, ignored);
  const bool has_duo = std::filesystem::exists(duo, ignored);
  if (has_rlkv && has_duo) {
    throw_input("{} has both {} and {}; name the one that is meant", path.string(), kRlkvName,
                kDuoName);
  }
  if (!has_rlkv && !has_duo) {
    throw_input("{} has no table of heads: neither {} nor {}", path.string(), kRlkvName, kDuoName);
  }
  return has_rlkv ? rlkv : duo;
}

HeadTable load_head_table(const std::filesystem::path& path) {
  const std::filesystem::path file = head_table_file(path);
  return parse_head_table(read_file(file, kMostBytes), file.string());
}

}  // namespace laconic
