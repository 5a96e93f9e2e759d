// SPDX-License-Identifier: Apache-2.0
// tokenizer.ggml.* keys -> TokenizerData. Absent keys mean what they mean to llama.cpp.
#include <algorithm>
#include <array>
#include <limits>
#include <unordered_set>
#include <utility>

#include "base/error.h"
#include "io/printable.h"
#include "model/convert.h"
#include "model/gguf_tokenizer.h"
#include "text/pretokenizer.h"

namespace laconic {
namespace {

// Control tokens that end an answer in every model that has them; older files name only one id.
constexpr std::array<std::string_view, 6> kEndTexts = {"<|im_end|>",      "<|endoftext|>",
                                                       "<|eot_id|>",      "<|eom_id|>",
                                                       "<|end_of_text|>", "<｜end▁of▁sentence｜>"};

TokenType token_type(std::int64_t number, std::string_view where) {
  switch (number) {
    case 0:
    case 1:
      return TokenType::kNormal;
    case 2:
      return TokenType::kUnknown;
    case 3:
      return TokenType::kControl;
    case 4:
      return TokenType::kUserDefined;
    case 5:
      return TokenType::kUnused;
    case 6:
      return TokenType::kByte;
    default:
      throw_input("{}: tokenizer.ggml.token_type holds {}, 0 to 6 are known", where, number);
  }
}

// One entry per token, or none at all.
void check_length(std::size_t length, std::size_t tokens, const char* key, std::string_view where) {
  if (length != tokens) {
    throw_input("{}: {} has {} entries for {} tokens", where, key, length, tokens);
  }
}

void read_vocabulary(const GgufMetadata& metadata, TokenizerData& data, std::string_view where) {
  const auto* tokens = gguf_strings(metadata, "tokenizer.ggml.tokens");
  if (tokens == nullptr || tokens->empty()) {
    throw_input("{}: tokenizer.ggml.tokens is missing or empty", where);
  }
  if (tokens->size() > static_cast<std::size_t>(std::numeric_limits<TokenId>::max())) {
    throw_input("{}: {} tokens are more than ids can count", where, tokens->size());
  }
  data.tokens = *tokens;
  data.types.assign(tokens->size(), TokenType::kNormal);
  if (const auto types = gguf_ints(metadata, "tokenizer.ggml.token_type")) {
    check_length(types->size(), tokens->size(), "tokenizer.ggml.token_type", where);
    std::transform(types->begin(), types->end(), data.types.begin(),
                   [&](std::int64_t number) { return token_type(number, where); });
  }
  for (std::size_t i = 0; i < data.tokens.size(); ++i) {
    const TokenType type = data.types[i];
    const bool special = type == TokenType::kControl || type == TokenType::kUnknown;
    if (!special && type != TokenType::kUserDefined) continue;
    if (data.tokens[i].empty()) continue;  // matches nowhere
    data.added.push_back({data.tokens[i], static_cast<TokenId>(i), special});
  }
}

void read_merges(const GgufMetadata& metadata, TokenizerData& data, std::string_view where) {
  const auto* merges = gguf_strings(metadata, "tokenizer.ggml.merges");
  if (merges == nullptr) throw_input("{}: tokenizer.ggml.merges is missing", where);
  const std::unordered_set<std::string_view> known(data.tokens.begin(), data.tokens.end());
  data.merges.reserve(merges->size());
  for (const std::string& merge : *merges) {
    const std::size_t space = merge.find(' ', 1);  // the left part may be a space itself
    if (space == std::string::npos || space + 1 == merge.size()) {
      throw_input("{}: the merge {} is not a pair", where, printable(merge));
    }
    std::string left = merge.substr(0, space), right = merge.substr(space + 1);
    // A merge of or into a token that is not there can never apply: llama.cpp passes over it too.
    if (!known.count(left) || !known.count(right) || !known.count(left + right)) continue;
    data.merges.emplace_back(std::move(left), std::move(right));
  }
}

TokenId special_id(const GgufMetadata& metadata, const char* key, TokenId otherwise,
                   std::size_t tokens, std::string_view where) {
  const auto id = gguf_uint(metadata, key);
  if (!id) return otherwise >= 0 && static_cast<std::size_t>(otherwise) < tokens ? otherwise : -1;
  if (*id == std::numeric_limits<std::uint32_t>::max()) return -1;  // how some files say none
  if (*id >= tokens) throw_input("{}: {} is {}, but there are {} tokens", where, key, *id, tokens);
  return static_cast<TokenId>(*id);
}

void read_end_tokens(const GgufMetadata& metadata, TokenizerData& data, std::string_view where) {
  const auto add = [&](TokenId id) {
    const auto& ends = data.end_tokens;
    if (id < 0 || id == data.eos || std::find(ends.begin(), ends.end(), id) != ends.end()) return;
    data.end_tokens.push_back(id);
  };
  for (const char* key : {"tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"}) {
    add(special_id(metadata, key, -1, data.tokens.size(), where));
  }
  for (const TokenizerData::Added& token : data.added) {
    const bool known =
        std::find(kEndTexts.begin(), kEndTexts.end(), token.content) != kEndTexts.end();
    if (token.special && known) add(token.id);
  }
}

void read_byte_level(const GgufMetadata& metadata, TokenizerData& data, std::string_view where) {
  data.kind = TokenizerKind::kByteLevelBpe;
  data.pre = gguf_string(metadata, "tokenizer.ggml.pre").value_or("default");
  PreTokenizerRecipe recipe = split_regex_for(data.pre);
  data.split_regex = std::move(recipe.split_regex);
  data.nfc = recipe.nfc;
  data.ignore_merges = recipe.ignore_merges;
  data.add_bos = recipe.add_bos;
  read_merges(metadata, data, where);
}

void read_sentence_piece(const GgufMetadata& metadata, TokenizerData& data,
                         std::string_view where) {
  data.kind = TokenizerKind::kSentencePiece;
  data.pre = "default";
  data.add_bos = true;
  data.add_space_prefix = true;
  const auto scores = gguf_floats(metadata, "tokenizer.ggml.scores");
  if (!scores) throw_input("{}: tokenizer.ggml.scores is missing", where);
  check_length(scores->size(), data.tokens.size(), "tokenizer.ggml.scores", where);
  data.scores.reserve(scores->size());
  for (const double score : *scores) data.scores.push_back(static_cast<float>(score));
}

}  // namespace

bool gguf_has_tokenizer(const GgufMetadata& metadata) {
  const auto model = gguf_string(metadata, "tokenizer.ggml.model");
  return model && *model != "no_vocab" && *model != "none";
}

TokenizerData tokenizer_from_gguf(const GgufMetadata& metadata, std::string_view where) {
  const auto model = gguf_string(metadata, "tokenizer.ggml.model");
  if (!model) throw_input("{}: tokenizer.ggml.model is missing", where);
  const bool byte_level = *model == "gpt2";
  if (!byte_level && *model != "llama") {
    throw_input("{}: tokenizers of model {} are not supported (gpt2 and llama are)", where,
                printable(*model));
  }
  TokenizerData data;
  read_vocabulary(metadata, data, where);
  if (byte_level) {
    read_byte_level(metadata, data, where);
  } else {
    read_sentence_piece(metadata, data, where);
  }
  const std::size_t count = data.tokens.size();
  const auto id = [&](const char* key, TokenId sentence_piece) {
    return special_id(metadata, key, byte_level ? -1 : sentence_piece, count, where);
  };
  data.bos = id("tokenizer.ggml.bos_token_id", 1);
  data.eos = id("tokenizer.ggml.eos_token_id", 2);
  data.unk = id("tokenizer.ggml.unknown_token_id", 0);
  data.pad = id("tokenizer.ggml.padding_token_id", -1);
  read_end_tokens(metadata, data, where);
  data.add_bos = gguf_bool(metadata, "tokenizer.ggml.add_bos_token").value_or(data.add_bos);
  data.add_eos = gguf_bool(metadata, "tokenizer.ggml.add_eos_token").value_or(false);
  data.add_bos = data.add_bos && data.bos >= 0;
  data.add_eos = data.add_eos && data.eos >= 0;
  if (const auto prefix = gguf_bool(metadata, "tokenizer.ggml.add_space_prefix");
      prefix && !byte_level) {
    data.add_space_prefix = *prefix;
  }
  data.chat_template = gguf_string(metadata, "tokenizer.chat_template").value_or("");
  return data;
}

}  // namespace laconic
