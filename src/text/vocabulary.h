// SPDX-License-Identifier: Apache-2.0
// The bytes that each token stands for, and the way back from bytes to a token.
//
// Byte-level spellings are undone, U+2581 is a space, <0xXX> is its byte, added tokens are their
// content. Only ordinary tokens (normal and user-defined) are found by their bytes; the tokens of
// single bytes have a table of their own.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer.h"

namespace laconic {

class Vocabulary {
 public:
  // Error(kInput) for tables whose lengths differ or are out of bounds.
  explicit Vocabulary(const TokenizerData& data);

  std::size_t size() const { return offsets_.size() - 1; }
  bool contains(TokenId id) const { return id >= 0 && static_cast<std::size_t>(id) < size(); }

  std::string_view bytes(TokenId id) const;    // PRECONDITION: contains(id)
  TokenId find(std::string_view bytes) const;  // an ordinary token, or -1
  TokenId byte_token(unsigned char byte) const { return byte_tokens_[byte]; }  // or -1

 private:
  void index(TokenId id);
  std::size_t slot_of(std::string_view bytes) const;

  std::string arena_;
  std::vector<std::size_t> offsets_;  // [vocab + 1] into arena_
  std::vector<TokenId> slots_;        // hash table of ids, -1 is free; at most half full
  std::array<TokenId, 256> byte_tokens_{};
};

// The bytes that a stored spelling stands for ("Ġthe" or "▁the" is " the").
std::string spelled_bytes(TokenizerKind kind, std::string_view spelling);

// The byte of a spelling "<0xXX>".
std::optional<unsigned char> byte_of_spelling(std::string_view spelling);

// `text` with every U+2581 as a space.
std::string spaces_for_blocks(std::string_view text);

}  // namespace laconic
