// SPDX-License-Identifier: Apache-2.0
#include "text/hf_tokenizer_parts.h"

#include <algorithm>
#include <cstdint>
#include <unordered_set>

namespace laconic {
namespace {

// Ids that no token has are rare (a few reserved ones); the bound keeps a damaged id from asking
// for a huge table.
constexpr std::size_t kMaxGap = 1 << 16;

// `id` as an index, when a vocabulary of `count` tokens may hold it.
std::size_t checked_id(std::int64_t id, std::size_t count, std::string_view where) {
  if (id < 0 || static_cast<std::uint64_t>(id) >= count + kMaxGap) {
    throw_input("{}: token id {} does not fit a vocabulary of {} tokens", where, id, count);
  }
  return static_cast<std::size_t>(id);
}

// A token as a string or as an object with "content"; empty when it is absent or null.
std::string token_content(const Json& document, const char* key, std::string_view where) {
  const auto found = document.find(key);
  if (found == document.end() || found->is_null()) return {};
  if (found->is_string()) return found->get<std::string>();
  if (found->is_object()) return json_optional<std::string>(*found, "content", where).value_or("");
  throw_input("{}: \"{}\" must be a string or an object with \"content\"", where, key);
}

void read_added_tokens_decoder(const Json& config, TokenizerData& data, std::string_view where) {
  const auto decoder = config.find("added_tokens_decoder");
  if (decoder == config.end() || decoder->is_null()) return;
  if (!decoder->is_object()) {
    throw_input("{}: \"added_tokens_decoder\" must be an object", where);
  }
  std::unordered_set<TokenId> listed;
  for (const auto& token : data.added) listed.insert(token.id);
  std::vector<std::pair<TokenId, const Json*>> entries;
  for (const auto& [key, entry] : decoder->items()) {
    const bool number =
        !key.empty() && key.size() <= 9 &&
        std::all_of(key.begin(), key.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (!number) throw_input("{}: added token id \"{}\" is not a token id", where, key);
    entries.emplace_back(static_cast<TokenId>(std::stol(key)), &entry);
  }
  std::sort(entries.begin(), entries.end());  // keys come in the order of their spelling
  for (const auto& [id, entry] : entries) {
    if (listed.count(id) == 0) add_token(data, read_added(*entry, id, where), where);
  }
}

// A template as a string, or the default one of a list of named templates.
std::string read_chat_template(const Json& config, std::string_view where) {
  const auto found = config.find("chat_template");
  if (found == config.end() || found->is_null()) return {};
  if (found->is_string()) return found->get<std::string>();
  if (!found->is_array()) {
    throw_input("{}: \"chat_template\" must be a string or a list of named templates", where);
  }
  for (const Json& entry : *found) {
    if (json_required<std::string>(entry, "name", where) == "default") {
      return json_required<std::string>(entry, "template", where);
    }
  }
  return {};
}

}  // namespace

void read_vocabulary(const Json& vocab, TokenizerData& data, std::string_view where) {
  if (!vocab.is_object() || vocab.empty()) {
    throw_input("{}: the vocabulary must be an object of token to id, and not empty", where);
  }
  const std::size_t count = vocab.size();
  data.tokens.assign(count, {});
  data.types.assign(count, TokenType::kUnused);
  for (const auto& [token, value] : vocab.items()) {
    if (!value.is_number_integer()) {
      throw_input("{}: the id of token \"{}\" is not an integer", where, token);
    }
    const std::size_t id = checked_id(value.get<std::int64_t>(), count, where);
    if (id >= data.tokens.size()) {
      data.tokens.resize(id + 1);
      data.types.resize(id + 1, TokenType::kUnused);
    }
    if (data.types[id] != TokenType::kUnused) {
      throw_input("{}: tokens \"{}\" and \"{}\" have the same id {}", where, data.tokens[id], token,
                  id);
    }
    data.tokens[id] = token;
    data.types[id] = TokenType::kNormal;
  }
}

std::pair<std::string, std::string> split_merge(std::string_view line, std::string_view where) {
  const std::size_t space = line.find(' ');
  const bool two = space != std::string_view::npos && space > 0 && space + 1 < line.size() &&
                   line.find(' ', space + 1) == std::string_view::npos;
  if (!two) throw_input("{}: merge \"{}\" is not two tokens with a space between", where, line);
  return {std::string(line.substr(0, space)), std::string(line.substr(space + 1))};
}

TokenizerData::Added read_added(const Json& entry, TokenId id, std::string_view where) {
  TokenizerData::Added token;
  token.content = json_required<std::string>(entry, "content", where);
  token.id = id;
  const auto flag = [&](const char* key) {
    return json_optional<bool>(entry, key, where).value_or(false);
  };
  token.special = flag("special");
  token.lstrip = flag("lstrip");
  token.rstrip = flag("rstrip");
  token.single_word = flag("single_word");
  token.normalized = flag("normalized");
  return token;
}

void add_token(TokenizerData& data, TokenizerData::Added token, std::string_view where) {
  const std::size_t id = checked_id(token.id, data.tokens.size(), where);
  if (id >= data.tokens.size()) {
    data.tokens.resize(id + 1);
    data.types.resize(id + 1, TokenType::kUnused);
  }
  data.tokens[id] = token.content;
  data.types[id] = token.special ? TokenType::kControl : TokenType::kUserDefined;
  data.added.push_back(std::move(token));
}

TokenId find_token(const TokenizerData& data, std::string_view spelling) {
  if (spelling.empty()) return -1;
  for (const auto& token : data.added) {
    if (token.content == spelling) return token.id;
  }
  const auto found = std::find(data.tokens.begin(), data.tokens.end(), spelling);
  return found == data.tokens.end() ? -1 : static_cast<TokenId>(found - data.tokens.begin());
}

void read_special_tokens(const Json& document, TokenizerData& data, std::string_view where) {
  if (!document.is_object()) throw_input("{}: an object is expected", where);
  const std::pair<const char*, TokenId*> wanted[] = {{"bos_token", &data.bos},
                                                     {"eos_token", &data.eos},
                                                     {"unk_token", &data.unk},
                                                     {"pad_token", &data.pad}};
  for (const auto& [key, id] : wanted) {
    const std::string content = token_content(document, key, where);
    const TokenId found = find_token(data, content);
    if (*id < 0) *id = found;
  }
}

void apply_tokenizer_config(const Json& config, bool has_post_processor, TokenizerData& data,
                            std::string_view where) {
  if (!config.is_object()) throw_input("{}: an object is expected", where);
  read_added_tokens_decoder(config, data, where);
  const std::string name =
      json_optional<std::string>(config, "tokenizer_class", where).value_or("");
  const bool llama_class = name == "LlamaTokenizer" || name == "LlamaTokenizerFast" ||
                           name == "CodeLlamaTokenizer" || name == "CodeLlamaTokenizerFast";
  // The configured token is meant even where the template of tokenizer.json names another one.
  if (llama_class) {
    for (const auto& [key, id] : {std::pair{"bos_token", &data.bos}, {"eos_token", &data.eos}}) {
      const TokenId configured = find_token(data, token_content(config, key, where));
      if (configured >= 0) *id = configured;
    }
  }
  read_special_tokens(config, data, where);
  if (llama_class || !has_post_processor) {
    const bool default_bos = llama_class && data.bos >= 0;
    data.add_bos = json_optional<bool>(config, "add_bos_token", where).value_or(default_bos);
    data.add_eos = json_optional<bool>(config, "add_eos_token", where).value_or(false);
  }
  data.chat_template = read_chat_template(config, where);
}

std::string component_type(const Json& component, std::string_view where) {
  return json_required<std::string>(component, "type", where);
}

}  // namespace laconic
