// SPDX-License-Identifier: Apache-2.0
// Text to token ids and back, exactly as the model's own tokenizer does it.
//
// Byte-level BPE (GPT-2, Qwen2, Qwen3, DeepSeek-R1-Distill, Llama-3) and SentencePiece-style BPE
// with byte fallback (Llama-2, TinyLlama), with added and special tokens. Invalid UTF-8 becomes
// U+FFFD. Tables are plain data (TokenizerData), so that every file format fills the same struct.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"

namespace laconic {

using TokenId = std::int32_t;

enum class TokenizerKind {
  kByteLevelBpe,   // pre-tokenizer regex, bytes as printable characters, merges by rank
  kSentencePiece,  // spaces as U+2581, merges by rank or by score, <0xXX> byte fallback
};

enum class TokenType { kNormal, kUnknown, kControl, kUserDefined, kUnused, kByte };

struct TokenizerData {
  TokenizerKind kind = TokenizerKind::kByteLevelBpe;
  std::string pre;                       // GGUF's name of the pre-tokenizer: "gpt-2", "qwen2", ...
  std::vector<std::string> split_regex;  // applied in turn, "isolated"; empty: no splitting
  bool nfc = false;                      // normalise to NFC first
  bool ignore_merges = false;            // a whole pre-token that is in the vocabulary is one token
  bool add_space_prefix = false;         // SentencePiece dummy prefix, before each stretch of text
  bool space_prefix_first_only = false;  // ... only at the start, not after an added token
  bool space_prefix_if_missing = false;  // ... not before a space that is there already
  bool add_bos = false, add_eos = false;
  TokenId bos = -1, eos = -1, unk = -1, pad = -1;  // -1: none
  std::vector<TokenId> end_tokens;  // more ids that end an answer (generation_config, eot)
  std::vector<std::string> tokens;  // [vocab] as stored (byte-level: mapped characters)
  std::vector<TokenType> types;     // [vocab]
  std::vector<float> scores;        // [vocab] for merges by score, else empty
  std::vector<std::pair<std::string, std::string>> merges;  // by rank; empty when by score
  struct Added {
    std::string content;
    TokenId id = -1;
    bool special = false, lstrip = false, rstrip = false, single_word = false, normalized = false;
  };
  std::vector<Added> added;
  std::string chat_template;  // Jinja source; empty: none
};

struct EncodeOptions {
  bool add_special = true;    // BOS / EOS as the tokenizer's post-processor says
  bool parse_special = true;  // recognise added tokens inside the text
};

class Tokenizer {
 public:
  explicit Tokenizer(TokenizerData data);  // Error(kInput) for tables that contradict one another
  ~Tokenizer();
  Tokenizer(Tokenizer&&) noexcept;

  // A Hugging Face directory: tokenizer.json, or vocab.json + merges.txt; with
  // tokenizer_config.json, chat_template.jinja and generation_config.json where present.
  static Tokenizer from_directory(const std::filesystem::path& directory);

  std::vector<TokenId> encode(std::string_view text, const EncodeOptions& options = {}) const;
  // Text of ids; `skip_special` leaves out control tokens. Unknown ids are an Error(kUsage).
  std::string decode(std::span<const TokenId> ids, bool skip_special = false) const;
  // Raw bytes that this token contributes in the middle of a text (may be part of a character).
  std::string_view piece(TokenId id) const;

  std::size_t vocab_size() const;
  bool is_special(TokenId id) const;
  bool is_end(TokenId id) const;                 // eos or one of end_tokens
  TokenId find(std::string_view content) const;  // id of a token by its text, or -1
  const TokenizerData& data() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Streaming detokenizer: text as soon as its characters are complete, never half a character.
// decode() of all ids equals the concatenation of all push() results and finish().
class TokenStream {
 public:
  explicit TokenStream(const Tokenizer& tokenizer, bool skip_special = true, bool at_start = false);
  std::string push(TokenId id);
  std::string finish();  // what is left: broken bytes as U+FFFD

 private:
  const Tokenizer& tokenizer_;
  bool skip_special_;
  bool at_start_;  // strip SentencePiece's dummy space from the first piece
  std::string pending_;
};

}  // namespace laconic
