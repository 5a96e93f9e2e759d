// SPDX-License-Identifier: Apache-2.0
// TokenizerData -> tokenizer.ggml.* keys, as llama.cpp reads them.
#include <map>
#include <string_view>

#include "base/error.h"
#include "model/convert.h"
#include "model/gguf_tokenizer.h"
#include "text/pretokenizer.h"

namespace laconic {
namespace {

std::int64_t type_number(TokenType type) {
  switch (type) {
    case TokenType::kNormal:
      return 1;
    case TokenType::kUnknown:
      return 2;
    case TokenType::kControl:
      return 3;
    case TokenType::kUserDefined:
      return 4;
    case TokenType::kUnused:
      return 5;
    case TokenType::kByte:
      return 6;
  }
  return 1;
}

std::vector<std::int64_t> type_numbers(const TokenizerData& data) {
  std::vector<std::int64_t> numbers(data.tokens.size(), 1);
  for (std::size_t i = 0; i < data.types.size() && i < numbers.size(); ++i) {
    numbers[i] = type_number(data.types[i]);
  }
  // llama.cpp finds tokens inside a text by their type alone.
  for (const TokenizerData::Added& token : data.added) {
    const auto id = static_cast<std::size_t>(token.id);
    if (token.id < 0 || id >= numbers.size() || numbers[id] == 2) continue;
    numbers[id] = token.special ? 3 : 4;
  }
  return numbers;
}

void put_byte_level(const TokenizerData& data, GgufMetadata& out) {
  const std::string pre = data.pre.empty() ? deduce_pre(data) : data.pre;
  if (pre.empty()) throw_input("GGUF has no name for this tokenizer's way to split a text");
  std::vector<std::string> merges;
  merges.reserve(data.merges.size());
  for (const auto& [left, right] : data.merges) merges.push_back(left + " " + right);
  out["tokenizer.ggml.model"] = std::string("gpt2");
  out["tokenizer.ggml.pre"] = pre;
  out["tokenizer.ggml.merges"] = std::move(merges);
}

void put_sentence_piece(const TokenizerData& data, GgufMetadata& out) {
  const std::vector<float> scores = data.scores.empty() ? scores_from_merges(data) : data.scores;
  out["tokenizer.ggml.model"] = std::string("llama");
  out["tokenizer.ggml.pre"] = std::string("default");
  out["tokenizer.ggml.scores"] = std::vector<double>(scores.begin(), scores.end());
  out["tokenizer.ggml.add_space_prefix"] = data.add_space_prefix;
}

}  // namespace

// Both ways take the leftmost of equally good pairs. SentencePiece's own vocabularies list the
// merges in the order of the scores of what they make, so all merges that make one token are
// neighbours in rank and its first rank orders it against every other token. Tokens that no merge
// makes get a score below all others: by rank they could never be built.
std::vector<float> scores_from_merges(const TokenizerData& data) {
  std::map<std::string, std::size_t, std::less<>> first_rank;
  for (std::size_t rank = 0; rank < data.merges.size(); ++rank) {
    first_rank.emplace(data.merges[rank].first + data.merges[rank].second, rank);
  }
  const auto lowest = -static_cast<float>(data.merges.size() + 1);
  std::vector<float> scores(data.tokens.size(), 0.0f);
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (i < data.types.size() && data.types[i] != TokenType::kNormal) continue;
    const auto found = first_rank.find(data.tokens[i]);
    scores[i] = found == first_rank.end() ? lowest : -static_cast<float>(found->second);
  }
  return scores;
}

TokenizerData padded_tokenizer(const TokenizerData& data, std::size_t vocab) {
  if (data.tokens.size() > vocab) {
    throw_input("the tokenizer has {} tokens, but the embedding has {} rows", data.tokens.size(),
                vocab);
  }
  TokenizerData padded = data;
  padded.types.resize(data.tokens.size(), TokenType::kNormal);
  for (std::size_t i = data.tokens.size(); i < vocab; ++i) {
    padded.tokens.push_back(fmt::format("[PAD{}]", i));
    padded.types.push_back(TokenType::kUnused);
    if (!data.scores.empty()) padded.scores.push_back(0.0f);
  }
  return padded;
}

GgufMetadata tokenizer_to_gguf(const TokenizerData& data) {
  GgufMetadata out;
  if (data.kind == TokenizerKind::kByteLevelBpe) {
    put_byte_level(data, out);
  } else {
    put_sentence_piece(data, out);
  }
  out["tokenizer.ggml.tokens"] = data.tokens;
  out["tokenizer.ggml.token_type"] = type_numbers(data);
  const auto put_id = [&](const char* key, TokenId id) {
    if (id >= 0) out[key] = static_cast<std::uint64_t>(id);
  };
  put_id("tokenizer.ggml.bos_token_id", data.bos);
  put_id("tokenizer.ggml.eos_token_id", data.eos);
  put_id("tokenizer.ggml.unknown_token_id", data.unk);
  put_id("tokenizer.ggml.padding_token_id", data.pad);
  // GGUF has two more keys for ids that end an answer; whatever does not fit is found by its text.
  const char* const more[] = {"tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"};
  std::size_t used = 0;
  for (const TokenId id : data.end_tokens) {
    if (id != data.eos && used < std::size(more)) put_id(more[used++], id);
  }
  out["tokenizer.ggml.add_bos_token"] = data.add_bos;
  out["tokenizer.ggml.add_eos_token"] = data.add_eos;
  if (!data.chat_template.empty()) out["tokenizer.chat_template"] = data.chat_template;
  return out;
}

}  // namespace laconic
