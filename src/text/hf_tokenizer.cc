// SPDX-License-Identifier: Apache-2.0
#include "text/hf_tokenizer.h"

#include <algorithm>
#include <optional>
#include <string>

#include "base/file.h"
#include "text/hf_tokenizer_parts.h"
#include "text/pretokenizer.h"

namespace laconic {
namespace {

namespace fs = std::filesystem;

// The document of that name, or nothing where there is no such file.
std::optional<Json> read_document(const fs::path& directory, const char* name) {
  const fs::path path = directory / name;
  if (!fs::exists(path)) return std::nullopt;
  return parse_json(read_file(path), path.string());
}

// The pre-tokenizer that a tokenizer class brings along.
std::string pre_of_class(const fs::path& directory, const std::optional<Json>& tokenizer_config) {
  const std::string where = (directory / "tokenizer_config.json").string();
  const std::string name =
      tokenizer_config
          ? json_optional<std::string>(*tokenizer_config, "tokenizer_class", where).value_or("")
          : "";
  if (name == "GPT2Tokenizer" || name == "GPT2TokenizerFast") return "gpt-2";
  if (name == "Qwen2Tokenizer" || name == "Qwen2TokenizerFast") return "qwen2";
  throw_input(
      "{}: without tokenizer.json the tokenizer class must be GPT2Tokenizer or"
      " Qwen2Tokenizer, not \"{}\"",
      where, name);
}

// {"content": id} of older directories; the tokens count as special.
void add_listed_tokens(const Json& list, TokenizerData& data, std::string_view where) {
  if (!list.is_object()) throw_input("{}: an object of token to id is expected", where);
  std::vector<std::pair<TokenId, std::string>> tokens;
  for (const auto& [content, id] : list.items()) {
    if (!id.is_number_integer()) throw_input("{}: the id of \"{}\" is no integer", where, content);
    const auto value = std::clamp<std::int64_t>(id.get<std::int64_t>(), -1, INT32_MAX);
    tokens.emplace_back(static_cast<TokenId>(value), content);
  }
  std::sort(tokens.begin(), tokens.end());
  for (auto& [id, content] : tokens) add_token(data, {content, id, true}, where);
}

TokenizerData load_vocab_and_merges(const fs::path& directory,
                                    const std::optional<Json>& tokenizer_config) {
  const PreTokenizerRecipe recipe = split_regex_for(pre_of_class(directory, tokenizer_config));
  TokenizerData data = parse_vocab_and_merges(
      read_file(directory / "vocab.json"), read_file(directory / "merges.txt"), directory.string());
  data.split_regex = recipe.split_regex;
  data.nfc = recipe.nfc;
  data.ignore_merges = recipe.ignore_merges;
  const bool listed_in_config =
      tokenizer_config->is_object() && tokenizer_config->contains("added_tokens_decoder");
  if (const auto added = read_document(directory, "added_tokens.json");
      added && !listed_in_config) {
    add_listed_tokens(*added, data, (directory / "added_tokens.json").string());
  }
  return data;
}

// "eos_token_id" as one id or a list.
std::vector<TokenId> end_token_ids(const Json& config, std::string_view where) {
  if (!config.is_object()) throw_input("{}: an object is expected", where);
  const auto found = config.find("eos_token_id");
  if (found == config.end() || found->is_null()) return {};
  const Json list = found->is_array() ? *found : Json::array({*found});
  std::vector<TokenId> ids;
  for (const Json& id : list) {
    const bool fits = id.is_number_integer() && id.get<std::int64_t>() >= 0 &&
                      id.get<std::int64_t>() <= INT32_MAX;
    if (!fits) throw_input("{}: \"eos_token_id\" must be a token id or a list of them", where);
    ids.push_back(id.get<TokenId>());
  }
  return ids;
}

void apply_end_tokens(const fs::path& directory, TokenizerData& data) {
  for (const char* name : {"generation_config.json", "config.json"}) {
    const auto config = read_document(directory, name);
    if (!config) continue;
    data.end_tokens = end_token_ids(*config, (directory / name).string());
    if (!data.end_tokens.empty()) break;
  }
  const bool usable =
      !data.end_tokens.empty() && static_cast<std::size_t>(data.end_tokens[0]) < data.tokens.size();
  if (data.eos < 0 && usable) data.eos = data.end_tokens[0];
}

}  // namespace

TokenizerData parse_vocab_and_merges(std::string_view vocab, std::string_view merges,
                                     std::string_view where) {
  TokenizerData data;
  data.kind = TokenizerKind::kByteLevelBpe;
  const std::string vocab_name = std::string(where) + "/vocab.json";
  const std::string merges_name = std::string(where) + "/merges.txt";
  read_vocabulary(parse_json(vocab, vocab_name), data, vocab_name);
  for (bool first = true; !merges.empty(); first = false) {
    const std::size_t end = std::min(merges.find('\n'), merges.size());
    std::string_view line = merges.substr(0, end);
    merges.remove_prefix(std::min(end + 1, merges.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    const bool header = first && line.starts_with("#version");
    if (!line.empty() && !header) data.merges.push_back(split_merge(line, merges_name));
  }
  return data;
}

TokenizerData load_hf_tokenizer(const fs::path& directory) {
  const auto tokenizer_config = read_document(directory, "tokenizer_config.json");
  TokenizerData data;
  const bool has_pipeline = fs::exists(directory / "tokenizer.json");
  if (has_pipeline) {
    const fs::path path = directory / "tokenizer.json";
    data = parse_tokenizer_json(read_file(path), path.string());
  } else if (fs::exists(directory / "vocab.json") && fs::exists(directory / "merges.txt")) {
    data = load_vocab_and_merges(directory, tokenizer_config);
  } else {
    throw_input("{} holds no tokenizer: tokenizer.json, or vocab.json with merges.txt, is needed",
                directory.string());
  }
  if (tokenizer_config) {
    apply_tokenizer_config(*tokenizer_config, has_pipeline, data,
                           (directory / "tokenizer_config.json").string());
  }
  if (const auto map = read_document(directory, "special_tokens_map.json")) {
    read_special_tokens(*map, data, (directory / "special_tokens_map.json").string());
  }
  if (fs::exists(directory / "chat_template.jinja")) {
    data.chat_template = read_file(directory / "chat_template.jinja");
  }
  apply_end_tokens(directory, data);
  data.pre = deduce_pre(data);
  return data;
}

}  // namespace laconic
