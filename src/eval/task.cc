// SPDX-License-Identifier: Apache-2.0
#include "eval/task.h"

#include <string_view>
#include <unordered_map>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "eval/grade.h"

namespace laconic {
namespace {

constexpr std::string_view kGoldMark = "####";

bool is_blank(std::string_view text) {
  return text.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

// "id": a text, or a whole number as some sets have it.
std::string id_of(const Json& line, std::size_t number, std::string_view where) {
  const auto found = line.find("id");
  if (found == line.end() || found->is_null()) return std::to_string(number);
  if (found->is_number_integer()) return found->dump();
  auto id = json_required<std::string>(line, "id", where);
  if (is_blank(id)) throw_input("{}: \"id\" is empty", where);
  return id;
}

std::string gold_of(const Json& line, std::string_view where) {
  const auto answer = json_required<std::string>(line, "answer", where);
  if (answer.find(kGoldMark) == std::string::npos) {
    throw_input("{}: \"answer\" has no \"####\"", where);
  }
  const auto gold = marked_answer(answer);
  if (!gold || !is_number(*gold)) {
    throw_input("{}: \"answer\" has no number after \"####\"", where);
  }
  return *gold;
}

TaskItem parse_item(std::string_view text, std::size_t number, std::string_view where) {
  if (is_blank(text)) throw_input("{}: the line is empty, a problem is expected", where);
  const Json line = parse_json(text, where);
  TaskItem item;
  item.question = json_required<std::string>(line, "question", where);
  if (is_blank(item.question)) throw_input("{}: \"question\" is empty", where);
  item.gold = gold_of(line, where);
  item.id = id_of(line, number, where);
  item.family = json_optional<std::string>(line, "family", where).value_or("");
  return item;
}

}  // namespace

std::vector<TaskItem> load_task(const std::filesystem::path& path) {
  const std::string content = read_file(path);
  std::vector<TaskItem> items;
  std::unordered_map<std::string, std::size_t> line_of_id;
  std::string_view rest = content;
  for (std::size_t number = 1; !rest.empty(); ++number) {
    const std::size_t end = rest.find('\n');
    const std::string_view text = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    const std::string where = fmt::format("{} line {}", path.string(), number);
    items.push_back(parse_item(text, number, where));
    const auto [earlier, is_new] = line_of_id.emplace(items.back().id, number);
    if (!is_new) {
      throw_input("{}: \"id\" {} is also that of line {}", where, Json(items.back().id).dump(),
                  earlier->second);
    }
  }
  if (items.empty()) throw_input("{} is empty: it holds no problem", path.string());
  return items;
}

}  // namespace laconic
