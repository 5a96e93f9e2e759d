// SPDX-License-Identifier: Apache-2.0
#include "text/tokenizer.h"

#include <algorithm>
#include <array>
#include <unordered_map>
#include <unordered_set>

#include "base/error.h"
#include "base/utf8.h"
#include "text/added_tokens.h"
#include "text/bpe.h"
#include "text/byte_level.h"
#include "text/hf_tokenizer.h"
#include "text/merge_rules.h"
#include "text/split_regex.h"
#include "text/unicode.h"
#include "text/vocabulary.h"

namespace laconic {
namespace {

// Positions inside a word are 32-bit.
constexpr std::size_t kMaxTextBytes = std::size_t{1} << 30;

// Control tokens that end a turn in the chat formats of the supported families, for files whose
// generation settings name only one of them.
constexpr std::array<std::string_view, 5> kEndOfTurn = {
    "<|im_end|>", "<|eot_id|>", "<|end_of_text|>", "<|endoftext|>", "<｜end▁of▁sentence｜>"};

bool is_control(TokenType type) {
  return type == TokenType::kControl || type == TokenType::kUnknown;
}

// What the text is searched for: the added tokens, and those that only their type tells.
std::vector<TokenizerData::Added> searched_tokens(const TokenizerData& data) {
  std::vector<TokenizerData::Added> all = data.added;
  std::unordered_set<TokenId> listed;
  for (const auto& token : data.added) listed.insert(token.id);
  for (std::size_t id = 0; id < data.tokens.size(); ++id) {
    const TokenType type = data.types[id];
    const auto token = static_cast<TokenId>(id);
    if (!is_control(type) && type != TokenType::kUserDefined) continue;
    if (listed.count(token) != 0) continue;
    all.push_back({data.tokens[id], token, is_control(type)});
  }
  return all;
}

void check_ids(const TokenizerData& data, const Vocabulary& vocabulary) {
  const std::pair<const char*, TokenId> named[] = {
      {"bos", data.bos}, {"eos", data.eos}, {"unk", data.unk}, {"pad", data.pad}};
  for (const auto& [name, id] : named) {
    if (id != -1 && !vocabulary.contains(id)) {
      throw_input("tokenizer: the {} token {} is not among the {} tokens", name, id,
                  vocabulary.size());
    }
  }
  if (data.add_bos && data.bos < 0) throw_input("tokenizer: add_bos is set without a bos token");
  if (data.add_eos && data.eos < 0) throw_input("tokenizer: add_eos is set without an eos token");
  for (const auto& token : data.added) {
    if (!vocabulary.contains(token.id)) {
      throw_input("tokenizer: the added token \"{}\" has id {} in a vocabulary of {}",
                  token.content, token.id, vocabulary.size());
    }
  }
}

MergeTable make_merges(const TokenizerData& data, const Vocabulary& vocabulary) {
  if (data.merges.empty() && !data.scores.empty()) return merges_by_score(data, vocabulary);
  return merges_by_rank(data, vocabulary);
}

}  // namespace

struct Tokenizer::Impl {
  TokenizerData data;
  Vocabulary vocabulary;
  AddedTokens added;
  RegexSplitter splitter;
  MergeTable merges;
  bool cut_at_spaces;
  std::unordered_set<TokenId> ends;

  explicit Impl(TokenizerData given)
      : data(std::move(given)),
        vocabulary(data),
        added(searched_tokens(data)),
        splitter(data.split_regex),
        merges(make_merges(data, vocabulary)),
        cut_at_spaces(data.kind == TokenizerKind::kSentencePiece && data.split_regex.empty() &&
                      !data.ignore_merges && cuts_before_spaces(data, vocabulary)),
        ends(data.end_tokens.begin(), data.end_tokens.end()) {
    check_ids(data, vocabulary);
    if (data.eos >= 0) ends.insert(data.eos);
    for (const std::string_view name : kEndOfTurn) {
      const TokenId id = added.find(name);
      if (id >= 0 && is_control(type(id))) ends.insert(id);
    }
  }

  TokenType type(TokenId id) const { return data.types[static_cast<std::size_t>(id)]; }
  bool sentence_piece() const { return data.kind == TokenizerKind::kSentencePiece; }

  // A stretch of text between added tokens, as the merges see it.
  std::string normalised(std::string_view text, bool at_start) const {
    std::string out = data.nfc ? to_nfc(text) : std::string(text);
    if (sentence_piece()) out = spaces_for_blocks(out);
    const bool prefix = data.add_space_prefix && (at_start || !data.space_prefix_first_only) &&
                        !(data.space_prefix_if_missing && out.starts_with(' '));
    if (prefix) out.insert(out.begin(), ' ');
    return out;
  }

  std::vector<std::string_view> words(std::string_view text) const {
    if (!cut_at_spaces) return splitter.split(text);
    std::vector<std::string_view> out;
    while (!text.empty()) {
      const std::size_t word = std::min(text.find_first_not_of(' '), text.size());
      const std::size_t end = std::min(text.find(' ', word), text.size());
      out.push_back(text.substr(0, end));
      text.remove_prefix(end);
    }
    return out;
  }
};

namespace {

// Encodes the words of one stretch of text. Words come back often: their tokens are copied from
// where they stand in the output already.
class WordEncoder {
 public:
  WordEncoder(const TokenizerData& data, const Vocabulary& vocabulary, const MergeTable& merges,
              std::vector<TokenId>& out)
      : data_(data), vocabulary_(vocabulary), merger_(merges), out_(out) {}

  void encode(std::string_view word) {
    const auto known = seen_.find(word);
    if (known != seen_.end()) {
      const auto [begin, count] = known->second;
      // By index: the output may move while it grows.
      for (std::size_t i = 0; i < count; ++i) out_.push_back(out_[begin + i]);
      return;
    }
    const std::size_t begin = out_.size();
    encode_new(word);
    if (word.size() <= kMaxCachedBytes && seen_.size() < kMaxCachedWords) {
      seen_.emplace(word, std::pair(begin, out_.size() - begin));
    }
  }

 private:
  static constexpr std::size_t kMaxCachedBytes = 64;       // longer words rarely come twice
  static constexpr std::size_t kMaxCachedWords = 1 << 16;  // a few MiB

  void encode_new(std::string_view word) {
    if (data_.ignore_merges) {
      const TokenId whole = vocabulary_.find(word);
      if (whole >= 0) {
        out_.push_back(whole);
        return;
      }
    }
    symbols_.clear();
    if (data_.kind == TokenizerKind::kByteLevelBpe) {
      for (const char byte : word) add_byte(static_cast<unsigned char>(byte));
    } else {
      add_characters(word);
    }
    merger_.merge(symbols_, out_);
  }

  void add_byte(unsigned char byte) {
    const TokenId id = vocabulary_.byte_token(byte);
    if (id < 0 && data_.unk < 0) {
      throw_input(
          "tokenizer: byte 0x{:02X} of the text has no token, and there is no unknown token", byte);
    }
    symbols_.push_back(id >= 0 ? id : data_.unk);
  }

  // Characters that are tokens, or else their bytes, or else one unknown token for a run of them.
  void add_characters(std::string_view word) {
    while (!word.empty()) {
      const std::string_view character = word.substr(0, decode_utf8(word).length);
      word.remove_prefix(character.size());
      const TokenId id = vocabulary_.find(character);
      const bool has_bytes = std::all_of(character.begin(), character.end(), [&](char byte) {
        return vocabulary_.byte_token(static_cast<unsigned char>(byte)) >= 0;
      });
      if (id >= 0) {
        symbols_.push_back(id);
      } else if (has_bytes || data_.unk < 0) {
        for (const char byte : character) add_byte(static_cast<unsigned char>(byte));
      } else if (symbols_.empty() || symbols_.back() != data_.unk) {
        symbols_.push_back(data_.unk);
      }
    }
  }

  const TokenizerData& data_;
  const Vocabulary& vocabulary_;
  BpeMerger merger_;
  std::vector<TokenId>& out_;
  std::vector<TokenId> symbols_;
  std::unordered_map<std::string_view, std::pair<std::size_t, std::size_t>> seen_;
};

}  // namespace

Tokenizer::Tokenizer(TokenizerData data) : impl_(std::make_unique<Impl>(std::move(data))) {}
Tokenizer::~Tokenizer() = default;
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;

Tokenizer Tokenizer::from_directory(const std::filesystem::path& directory) {
  return Tokenizer(load_hf_tokenizer(directory));
}

std::vector<TokenId> Tokenizer::encode(std::string_view text, const EncodeOptions& options) const {
  if (text.size() > kMaxTextBytes) {
    throw_input("tokenizer: a text of {} bytes is too long (at most {})", text.size(),
                kMaxTextBytes);
  }
  std::vector<TokenId> ids;
  if (options.add_special && impl_->data.add_bos) ids.push_back(impl_->data.bos);
  const std::string valid = sanitize_utf8(text);
  for (const auto& segment : impl_->added.split(valid, options.parse_special)) {
    if (segment.id >= 0) {
      ids.push_back(segment.id);
      continue;
    }
    const bool at_start = segment.text.data() == valid.data();
    const std::string normalised = impl_->normalised(segment.text, at_start);
    WordEncoder encoder(impl_->data, impl_->vocabulary, impl_->merges, ids);
    for (const std::string_view word : impl_->words(normalised)) encoder.encode(word);
  }
  if (options.add_special && impl_->data.add_eos) ids.push_back(impl_->data.eos);
  return ids;
}

std::string Tokenizer::decode(std::span<const TokenId> ids, bool skip_special) const {
  std::string bytes;
  for (const TokenId id : ids) {
    const std::string_view part = piece(id);
    if (!(skip_special && is_special(id))) bytes += part;
  }
  const bool prefixed = impl_->sentence_piece() && impl_->data.add_space_prefix;
  if (prefixed && bytes.starts_with(' ')) bytes.erase(bytes.begin());
  return sanitize_utf8(bytes);
}

std::string_view Tokenizer::piece(TokenId id) const {
  if (!impl_->vocabulary.contains(id)) {
    throw_usage("token id {} is outside the vocabulary (0 to {})", id,
                impl_->vocabulary.size() - 1);
  }
  return impl_->vocabulary.bytes(id);
}

std::size_t Tokenizer::vocab_size() const { return impl_->vocabulary.size(); }

bool Tokenizer::is_special(TokenId id) const {
  return impl_->vocabulary.contains(id) && is_control(impl_->type(id));
}

bool Tokenizer::is_end(TokenId id) const { return impl_->ends.count(id) != 0; }

TokenId Tokenizer::find(std::string_view content) const {
  const TokenId added = impl_->added.find(content);
  if (added >= 0) return added;
  const auto byte = byte_of_spelling(content);
  if (impl_->sentence_piece() && byte && impl_->vocabulary.byte_token(*byte) >= 0) {
    return impl_->vocabulary.byte_token(*byte);
  }
  const TokenId plain = impl_->vocabulary.find(content);
  return plain >= 0 ? plain : impl_->vocabulary.find(spelled_bytes(impl_->data.kind, content));
}

const TokenizerData& Tokenizer::data() const { return impl_->data; }

}  // namespace laconic
