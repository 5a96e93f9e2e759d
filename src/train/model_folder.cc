// SPDX-License-Identifier: Apache-2.0
#include "train/model_folder.h"

#include <algorithm>

#include "base/error.h"
#include "base/file.h"

namespace laconic::train {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kTokenizerFiles[] = {"tokenizer.json",      "tokenizer_config.json",
                                                "vocab.json",          "merges.txt",
                                                "added_tokens.json",   "special_tokens_map.json",
                                                "chat_template.jinja", "generation_config.json"};

}  // namespace

void check_tokenizer_folder(const fs::path& tokenizer) {
  std::error_code ignored;
  if (fs::is_regular_file(tokenizer / "tokenizer.json", ignored)) return;
  if (fs::is_regular_file(tokenizer / "vocab.json", ignored)) return;
  throw_input("the tokenizer folder {} has neither tokenizer.json nor vocab.json",
              tokenizer.string());
}

void write_model_folder(const Decoder& decoder, const fs::path& tokenizer, const fs::path& folder) {
  std::error_code failure;
  fs::create_directories(folder, failure);
  if (failure) throw_resource("cannot make {}: {}", folder.string(), failure.message());
  for (const std::string_view name : kTokenizerFiles) {
    if (!fs::exists(tokenizer / name)) continue;
    const std::string content = read_file(tokenizer / name);
    if (fs::exists(folder / name) && read_file(folder / name) == content) continue;
    write_file_atomic(folder / name, content);
  }
  decoder.save(folder, "bfloat16");
}

bool is_model_file(std::string_view name) {
  return name == "model.safetensors" || name == "config.json" ||
         std::find(std::begin(kTokenizerFiles), std::end(kTokenizerFiles), name) !=
             std::end(kTokenizerFiles);
}

}  // namespace laconic::train
