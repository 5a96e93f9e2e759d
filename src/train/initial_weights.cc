// SPDX-License-Identifier: Apache-2.0
#include "train/initial_weights.h"

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"

namespace laconic::train {
namespace {

namespace fs = std::filesystem;

// What the weights were trained for. The length of the context and the special tokens may differ.
constexpr const char* kSameFields[] = {"model_type",        "vocab_size",          "hidden_size",
                                       "num_hidden_layers", "num_attention_heads", "head_dim",
                                       "intermediate_size", "num_key_value_heads", "rope_theta",
                                       "rms_norm_eps",      "tie_word_embeddings"};

void check_config(const fs::path& file, const DecoderConfig& config) {
  const std::string where = file.string();
  const Json theirs = DecoderConfig::from_json(parse_json(read_file(file), where), where).to_json();
  const Json ours = config.to_json();
  for (const char* field : kSameFields) {
    if (theirs[field] == ours[field]) continue;
    throw_input("{}: \"{}\" is {}, the recipe's model has {}", where, field, theirs[field].dump(),
                ours[field].dump());
  }
}

// Token text -> id of a tokenizer.json or vocab.json. Other kinds of vocabulary as they stand.
Json tokens_of(const fs::path& file) {
  const Json document = parse_json(read_file(file), file.string());
  if (file.filename() == "vocab.json" || !document.is_object()) return document;
  const Json model = document.value("model", Json::object());
  Json tokens = model.is_object() ? model.value("vocab", Json::object()) : Json::object();
  if (!tokens.is_object()) tokens = {{"", std::move(tokens)}};
  for (const Json& added : document.value("added_tokens", Json::array())) {
    if (!added.is_object() || !added.contains("content") || !added["content"].is_string()) continue;
    tokens[added["content"].get<std::string>()] = added.value("id", Json());
  }
  return tokens;
}

void check_vocabulary(const fs::path& folder, const fs::path& tokenizer) {
  for (const char* name : {"tokenizer.json", "vocab.json"}) {
    if (!fs::exists(folder / name) || !fs::exists(tokenizer / name)) continue;
    if (tokens_of(folder / name) == tokens_of(tokenizer / name)) return;
    throw_input("{} has other tokens than {}", (folder / name).string(),
                (tokenizer / name).string());
  }
}

}  // namespace

void load_initial_weights(const fs::path& folder, const fs::path& tokenizer, Decoder& decoder) {
  check_config(folder / "config.json", decoder.config());
  check_vocabulary(folder, tokenizer);
  decoder.load_weights(folder);
}

}  // namespace laconic::train
