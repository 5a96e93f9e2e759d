// SPDX-License-Identifier: Apache-2.0
#include "data/vocabulary_folder.h"

#include <system_error>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "text/hf_tokenizer.h"
#include "text/tokenizer.h"

namespace laconic {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPad = "<|endoftext|>";
constexpr const char* kTurnBegin = "<|im_start|>";
constexpr const char* kTurnEnd = "<|im_end|>";
constexpr const char* kTokenizerFile = "tokenizer.json";

constexpr std::string_view kChatTemplate =
    R"({%- for message in messages -%}
{%- set content = message.content -%}
{%- if message.role == 'assistant' and '</think>' in content -%}
{%- set content = content.split('</think>')[-1].lstrip('\n') -%}
{%- endif -%}
{{- '<|im_start|>' + message.role + '\n' + content + '<|im_end|>\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}
{{- '<|im_start|>assistant\n<think>\n' -}}
{%- endif -%})";

TokenId marker(const Tokenizer& tokenizer, const char* content) {
  const TokenId id = tokenizer.find(content);
  if (id < 0) throw_usage("the vocabulary has no token {}; a chat needs it", content);
  return id;
}

Json tokenizer_config() {
  return {{"tokenizer_class", "PreTrainedTokenizerFast"},
          {"add_bos_token", false},
          {"add_prefix_space", false},
          {"bos_token", nullptr},
          {"eos_token", kTurnEnd},
          {"pad_token", kPad},
          {"unk_token", nullptr},
          {"clean_up_tokenization_spaces", false},
          {"chat_template", kChatTemplate}};
}

}  // namespace

BpeOptions chat_vocabulary(std::size_t vocab_size) {
  return {vocab_size, {kPad, kTurnBegin, kTurnEnd}, {"<think>", "</think>"}};
}

std::string_view chat_vocabulary_template() { return kChatTemplate; }

void require_vocabulary_folder(const fs::path& directory) {
  std::error_code unreadable;
  const fs::path parent = fs::absolute(directory, unreadable).lexically_normal().parent_path();
  if (!fs::is_directory(parent, unreadable)) {
    throw_input("{} cannot be made: there is no folder {}", directory.string(), parent.string());
  }
  if (fs::exists(directory, unreadable) && !fs::is_directory(directory, unreadable)) {
    throw_input("{} exists and is not a folder", directory.string());
  }
  if (fs::exists(directory / kTokenizerFile, unreadable)) {
    throw_input("{} exists; remove it, or give another folder",
                (directory / kTokenizerFile).string());
  }
}

void write_vocabulary_folder(const fs::path& directory, std::string_view tokenizer_json) {
  const Tokenizer tokenizer(parse_tokenizer_json(tokenizer_json, kTokenizerFile));
  for (const char* content : {kTurnBegin, "<think>", "</think>"}) marker(tokenizer, content);
  const TokenId pad = marker(tokenizer, kPad), end = marker(tokenizer, kTurnEnd);
  const Json generation = {
      {"do_sample", false}, {"eos_token_id", {end, pad}}, {"pad_token_id", pad}};
  require_vocabulary_folder(directory);
  std::error_code error;
  fs::create_directory(directory, error);
  if (error) throw_resource("{} cannot be made: {}", directory.string(), error.message());
  write_file_atomic(directory / "generation_config.json", generation.dump(2) + "\n");
  write_file_atomic(directory / "tokenizer_config.json", tokenizer_config().dump(2) + "\n");
  write_file_atomic(directory / kTokenizerFile, tokenizer_json);
}

}  // namespace laconic
