// SPDX-License-Identifier: Apache-2.0
#include "model/made_tokenizer.h"

#include <array>
#include <string>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "text/byte_level.h"
#include "text/pretokenizer.h"

namespace laconic {
namespace {

// A few frequent English pairs, so that prompts are a little shorter than their bytes; "_" is the
// space. Each part is a byte or made by an earlier line.
constexpr std::array<std::pair<const char*, const char*>, 24> kPairs{{
    {"_", "t"},   {"h", "e"}, {"_", "a"}, {"i", "n"}, {"r", "e"},  {"o", "n"},
    {"_t", "he"}, {"e", "r"}, {"_", "s"}, {"a", "t"}, {"o", "u"},  {"e", "n"},
    {"_", "w"},   {"n", "d"}, {"i", "s"}, {"o", "r"}, {"e", "s"},  {"_a", "nd"},
    {"in", "g"},  {"_", "o"}, {"_", "b"}, {"l", "l"}, {"_o", "f"}, {"_t", "o"},
}};

struct Marker {
  const char* text;
  bool special;
};
constexpr std::array<Marker, 5> kMarkers{{
    {"<|endoftext|>", true},
    {"<|im_start|>", true},
    {"<|im_end|>", true},
    {"<think>", false},
    {"</think>", false},
}};

// ChatML; earlier answers go back without their thinking, and an empty block switches it off.
constexpr const char* kChatTemplate =
    R"({%- for message in messages -%}
{%- set content = message.content -%}
{%- if message.role == 'assistant' and '</think>' in content -%}
{%- set content = content.split('</think>')[-1].lstrip('\n') -%}
{%- endif -%}
{{- '<|im_start|>' + message.role + '\n' + content + '<|im_end|>' + '\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}
{{- '<|im_start|>assistant\n' -}}
{%- if enable_thinking is defined and enable_thinking is false -%}
{{- '<think>\n\n</think>\n\n' -}}
{%- endif -%}
{%- endif -%})";

std::string spelled(std::string_view text) {
  std::string bytes(text);
  for (char& c : bytes) {
    if (c == '_') c = ' ';
  }
  return byte_level_spelling(bytes);
}

void add_token(TokenizerData& data, std::string text, TokenType type) {
  data.tokens.push_back(std::move(text));
  data.types.push_back(type);
}

Json added_tokens_json(const TokenizerData& data) {
  Json list = Json::array();
  for (const TokenizerData::Added& token : data.added) {
    list.push_back({{"id", token.id},
                    {"content", token.content},
                    {"single_word", token.single_word},
                    {"lstrip", token.lstrip},
                    {"rstrip", token.rstrip},
                    {"normalized", token.normalized},
                    {"special", token.special}});
  }
  return list;
}

Json byte_level_json() {
  return {{"type", "ByteLevel"},
          {"add_prefix_space", false},
          {"trim_offsets", false},
          {"use_regex", false}};
}

Json pre_tokenizer_json(const TokenizerData& data) {
  Json steps = Json::array();
  for (const std::string& regex : data.split_regex) {
    steps.push_back({{"type", "Split"},
                     {"pattern", {{"Regex", regex}}},
                     {"behavior", "Isolated"},
                     {"invert", false}});
  }
  steps.push_back(byte_level_json());
  return {{"type", "Sequence"}, {"pretokenizers", steps}};
}

Json model_json(const TokenizerData& data) {
  Json vocab = Json::object();
  for (std::size_t i = 0; i < data.tokens.size(); ++i) vocab[data.tokens[i]] = i;
  for (const TokenizerData::Added& token : data.added) vocab.erase(token.content);
  Json merges = Json::array();
  for (const auto& [left, right] : data.merges) merges.push_back(left + " " + right);
  return {{"type", "BPE"},
          {"dropout", nullptr},
          {"unk_token", nullptr},
          {"continuing_subword_prefix", nullptr},
          {"end_of_word_suffix", nullptr},
          {"fuse_unk", false},
          {"byte_fallback", false},
          {"ignore_merges", data.ignore_merges},
          {"vocab", std::move(vocab)},
          {"merges", std::move(merges)}};
}

}  // namespace

TokenizerData made_tokenizer(std::size_t vocab) {
  constexpr std::size_t kNeeded = 256 + kMarkers.size();
  if (vocab < kNeeded) {
    throw_usage("a vocabulary of {} cannot be made: bytes and markers take {}", vocab, kNeeded);
  }
  TokenizerData data;
  data.kind = TokenizerKind::kByteLevelBpe;
  data.pre = "qwen2";
  PreTokenizerRecipe recipe = split_regex_for(data.pre);
  data.split_regex = std::move(recipe.split_regex);
  data.nfc = recipe.nfc;
  for (int byte = 0; byte < 256; ++byte) {
    add_token(data, byte_level_spelling(std::string(1, static_cast<char>(byte))),
              TokenType::kNormal);
  }
  for (const Marker& marker : kMarkers) {
    const auto id = static_cast<TokenId>(data.tokens.size());
    data.added.push_back({marker.text, id, marker.special});
    add_token(data, marker.text, marker.special ? TokenType::kControl : TokenType::kUserDefined);
  }
  for (const auto& [left, right] : kPairs) {
    if (data.tokens.size() == vocab) break;
    data.merges.emplace_back(spelled(left), spelled(right));
    add_token(data, spelled(left) + spelled(right), TokenType::kNormal);
  }
  while (data.tokens.size() < vocab) {
    // Normal ones, as they are in a Hugging Face vocabulary: every format prints them alike.
    add_token(data, fmt::format("<|unused_{}|>", data.tokens.size()), TokenType::kNormal);
  }
  data.pad = 256;  // <|endoftext|>
  data.eos = 258;  // <|im_end|>
  data.end_tokens = {256};
  data.chat_template = kChatTemplate;
  return data;
}

void write_tokenizer_files(const TokenizerData& data, const std::filesystem::path& directory) {
  const Json tokenizer = {
      {"version", "1.0"},
      {"truncation", nullptr},
      {"padding", nullptr},
      {"added_tokens", added_tokens_json(data)},
      {"normalizer", data.nfc ? Json{{"type", "NFC"}} : Json(nullptr)},
      {"pre_tokenizer", pre_tokenizer_json(data)},
      {"post_processor", byte_level_json()},
      {"decoder", byte_level_json()},
      {"model", model_json(data)},
  };
  write_file_atomic(directory / "tokenizer.json", tokenizer.dump());
  const auto text = [&](TokenId id) {
    return id < 0 ? Json(nullptr) : Json(data.tokens[static_cast<std::size_t>(id)]);
  };
  const Json config = {
      {"tokenizer_class", "PreTrainedTokenizerFast"},
      {"add_bos_token", data.add_bos},
      {"bos_token", text(data.bos)},
      {"eos_token", text(data.eos)},
      {"pad_token", text(data.pad)},
      {"unk_token", text(data.unk)},
      {"clean_up_tokenization_spaces", false},
      {"chat_template", data.chat_template},
  };
  write_file_atomic(directory / "tokenizer_config.json", config.dump(2) + "\n");
}

}  // namespace laconic
