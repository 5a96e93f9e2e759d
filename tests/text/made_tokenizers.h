// SPDX-License-Identifier: Apache-2.0
// Small tokenizers made in place, so that the tests run without any file.
#pragma once

#include <fmt/format.h>

#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "text/byte_level.h"
#include "text/pretokenizer.h"
#include "text/tokenizer.h"

namespace laconic::test {

inline TokenId append_token(TokenizerData& data, std::string spelling, TokenType type) {
  data.tokens.push_back(std::move(spelling));
  data.types.push_back(type);
  return static_cast<TokenId>(data.tokens.size() - 1);
}

inline void append_added(TokenizerData& data, const std::string& content, bool special) {
  const TokenId id =
      append_token(data, content, special ? TokenType::kControl : TokenType::kUserDefined);
  data.added.push_back({content, id, special});
}

// All 256 bytes, a few merges of English, <s>, <|im_end|> and <think>. Ids 0-255 are the bytes.
inline TokenizerData made_byte_level(const std::string& pre = "qwen2") {
  TokenizerData data;
  data.kind = TokenizerKind::kByteLevelBpe;
  data.pre = pre;
  const PreTokenizerRecipe recipe = split_regex_for(pre);
  data.split_regex = recipe.split_regex;
  data.nfc = recipe.nfc;
  data.ignore_merges = recipe.ignore_merges;
  for (int byte = 0; byte < 256; ++byte) {
    append_token(data, byte_level_spelling(std::string(1, static_cast<char>(byte))),
                 TokenType::kNormal);
  }
  const std::initializer_list<std::pair<const char*, const char*>> merges = {
      {"t", "h"}, {"th", "e"}, {" ", "the"}, {"l", "l"}, {"a", "a"},  {"aa", "aa"},
      {" ", " "}, {"e", "l"},  {"o", "w"},   {"r", "l"}, {"h", "el"}, {"hel", "l"}};
  for (const auto& [left, right] : merges) {
    data.merges.emplace_back(byte_level_spelling(left), byte_level_spelling(right));
    append_token(data, byte_level_spelling(std::string(left) + right), TokenType::kNormal);
  }
  append_added(data, "<s>", true);
  append_added(data, "<|im_end|>", true);
  append_added(data, "<think>", false);
  data.bos = static_cast<TokenId>(data.tokens.size() - 3);
  return data;
}

// <unk>, <s>, </s>, 256 byte tokens, then letters and pieces with scores: later is worse.
inline TokenizerData made_sentence_piece() {
  TokenizerData data;
  data.kind = TokenizerKind::kSentencePiece;
  data.pre = "default";
  data.unk = append_token(data, "<unk>", TokenType::kUnknown);
  data.bos = append_token(data, "<s>", TokenType::kControl);
  data.eos = append_token(data, "</s>", TokenType::kControl);
  data.add_bos = true;
  data.add_space_prefix = true;
  for (unsigned byte = 0; byte < 256; ++byte) {
    append_token(data, fmt::format("<0x{:02X}>", byte), TokenType::kByte);
  }
  for (const char* piece :
       {"▁t", "he", "▁the", "▁a", "ll", "▁▁", "in", "▁he", "▁in", "ing", "▁", "a",
        "b",  "e",  "g",    "h",  "i",  "l",  "n",  "o",   "t",   "w",   "é", "."}) {
    append_token(data, piece, TokenType::kNormal);
  }
  for (std::size_t id = 0; id < data.tokens.size(); ++id) {
    data.scores.push_back(-static_cast<float>(id));
  }
  return data;
}

}  // namespace laconic::test
