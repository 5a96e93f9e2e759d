// SPDX-License-Identifier: Apache-2.0
#include "text/vocabulary.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <functional>

#include "base/error.h"
#include "text/byte_level.h"

namespace laconic {
namespace {

constexpr std::string_view kBlock = "\u2581";

// Published vocabularies end below 300 thousand; the bound keeps damaged files from filling memory.
constexpr std::size_t kMaxVocabulary = std::size_t{1} << 22;

bool is_ordinary(TokenType type) {
  return type == TokenType::kNormal || type == TokenType::kUserDefined;
}

void check_shape(const TokenizerData& data) {
  if (data.tokens.empty()) throw_input("tokenizer: the vocabulary is empty");
  if (data.tokens.size() > kMaxVocabulary) {
    throw_input("tokenizer: a vocabulary of {} tokens is too large (at most {})",
                data.tokens.size(), kMaxVocabulary);
  }
  if (data.types.size() != data.tokens.size()) {
    throw_input("tokenizer: {} token types for {} tokens", data.types.size(), data.tokens.size());
  }
  if (!data.scores.empty() && data.scores.size() != data.tokens.size()) {
    throw_input("tokenizer: {} token scores for {} tokens", data.scores.size(), data.tokens.size());
  }
}

void append_bytes(std::string& out, const TokenizerData& data, std::size_t id) {
  const std::string& spelling = data.tokens[id];
  const TokenType type = data.types[id];
  if (type == TokenType::kByte) {
    const auto byte = byte_of_spelling(spelling);
    if (!byte) {
      throw_input("tokenizer: byte token {} is spelled \"{}\", not <0x00> to <0xFF>", id, spelling);
    }
    out.push_back(static_cast<char>(*byte));
  } else if (type == TokenType::kNormal || type == TokenType::kUnused) {
    if (data.kind == TokenizerKind::kSentencePiece) {
      out += spaces_for_blocks(spelling);
    } else if (!append_byte_level(out, spelling)) {
      out += spelling;
    }
  } else {
    out += spelling;
  }
}

}  // namespace

Vocabulary::Vocabulary(const TokenizerData& data) {
  check_shape(data);
  byte_tokens_.fill(-1);
  offsets_.reserve(data.tokens.size() + 1);
  offsets_.push_back(0);
  for (std::size_t id = 0; id < data.tokens.size(); ++id) {
    append_bytes(arena_, data, id);
    offsets_.push_back(arena_.size());
  }
  slots_.assign(std::bit_ceil(2 * data.tokens.size() + 1), -1);
  for (std::size_t id = 0; id < data.tokens.size(); ++id) {
    const auto token = static_cast<TokenId>(id);
    const std::string_view text = bytes(token);
    const bool single_byte = data.kind == TokenizerKind::kByteLevelBpe
                                 ? text.size() == 1 && data.types[id] == TokenType::kNormal
                                 : data.types[id] == TokenType::kByte;
    if (single_byte && byte_tokens_[static_cast<unsigned char>(text[0])] < 0) {
      byte_tokens_[static_cast<unsigned char>(text[0])] = token;
    }
    if (is_ordinary(data.types[id]) && !text.empty()) index(token);
  }
}

std::string_view Vocabulary::bytes(TokenId id) const {
  assert(contains(id));
  const auto i = static_cast<std::size_t>(id);
  return std::string_view(arena_).substr(offsets_[i], offsets_[i + 1] - offsets_[i]);
}

std::size_t Vocabulary::slot_of(std::string_view key) const {
  const std::size_t mask = slots_.size() - 1;
  std::size_t slot = std::hash<std::string_view>()(key) & mask;
  while (slots_[slot] >= 0 && bytes(slots_[slot]) != key) slot = (slot + 1) & mask;
  return slot;
}

void Vocabulary::index(TokenId id) {
  TokenId& slot = slots_[slot_of(bytes(id))];
  if (slot < 0) slot = id;
}

TokenId Vocabulary::find(std::string_view key) const { return slots_[slot_of(key)]; }

std::string spaces_for_blocks(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t block; (block = text.find(kBlock)) != std::string_view::npos;) {
    out.append(text.substr(0, block));
    out.push_back(' ');
    text.remove_prefix(block + kBlock.size());
  }
  out.append(text);
  return out;
}

std::string spelled_bytes(TokenizerKind kind, std::string_view spelling) {
  if (kind == TokenizerKind::kSentencePiece) return spaces_for_blocks(spelling);
  std::string out;
  if (!append_byte_level(out, spelling)) out = spelling;
  return out;
}

std::optional<unsigned char> byte_of_spelling(std::string_view spelling) {
  if (spelling.size() != 6 || spelling.substr(0, 3) != "<0x" || spelling[5] != '>') return {};
  unsigned value = 0;
  for (const char c : spelling.substr(3, 2)) {
    const bool digit = c >= '0' && c <= '9';
    const bool upper = c >= 'A' && c <= 'F', lower = c >= 'a' && c <= 'f';
    if (!digit && !upper && !lower) return {};
    value = value * 16 + static_cast<unsigned>(digit ? c - '0' : (upper ? c - 'A' : c - 'a') + 10);
  }
  return static_cast<unsigned char>(value);
}

}  // namespace laconic
