// SPDX-License-Identifier: Apache-2.0
#include "data/bpe_trainer.h"

#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <utility>

#include "base/error.h"
#include "base/utf8.h"
#include "text/byte_level.h"
#include "text/pretokenizer.h"

namespace laconic {
namespace {

constexpr std::size_t kBytes = 256;
using Document = nlohmann::ordered_json;  // vocabulary in the order of its ids
using Pair = std::pair<std::uint32_t, std::uint32_t>;

struct PairHash {
  std::size_t operator()(const Pair& pair) const {
    return std::hash<std::uint64_t>{}(std::uint64_t{pair.first} << 32 | pair.second);
  }
};

bool has_digit(std::string_view bytes) {
  return std::any_of(bytes.begin(), bytes.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// The vocabulary as it grows, and the words written in it.
class Learner {
 public:
  explicit Learner(const std::unordered_map<std::string, std::size_t>& words) {
    for (std::size_t byte = 0; byte < kBytes; ++byte) {
      append(std::string(1, static_cast<char>(byte)));
    }
    for (const auto& [text, count] : words) {
      Word word{{}, count};
      for (const char c : text) word.symbols.push_back(static_cast<unsigned char>(c));
      words_.push_back(std::move(word));
    }
  }

  // Merges the most frequent pair that may be merged. False when there is none.
  bool learn_one() {
    const std::optional<Pair> best = most_frequent();
    if (!best) return false;
    const auto [left, right] = *best;
    merges_.push_back(*best);
    // The text is new: where it stood between two token borders before, it was this pair too.
    const std::uint32_t merged = append(symbols_[left] + symbols_[right]);
    for (Word& word : words_) replace(word.symbols, *best, merged);
    return true;
  }

  const std::vector<std::string>& symbols() const { return symbols_; }  // [id] as bytes
  const std::vector<Pair>& merges() const { return merges_; }

 private:
  struct Word {
    std::vector<std::uint32_t> symbols;
    std::size_t count = 0;
  };

  std::uint32_t append(std::string text) {
    const auto id = static_cast<std::uint32_t>(symbols_.size());
    digit_.push_back(has_digit(text));
    symbols_.push_back(std::move(text));
    return id;
  }

  // Counted anew each time: a thousand merges of a few thousand words take a second.
  std::optional<Pair> most_frequent() const {
    std::unordered_map<Pair, std::size_t, PairHash> counts;
    for (const Word& word : words_) {
      for (std::size_t i = 1; i < word.symbols.size(); ++i) {
        const Pair pair{word.symbols[i - 1], word.symbols[i]};
        if (!digit_[pair.first] || !digit_[pair.second]) counts[pair] += word.count;
      }
    }
    if (counts.empty()) return std::nullopt;
    const auto best =
        std::max_element(counts.begin(), counts.end(), [](const auto& a, const auto& b) {
          return a.second != b.second ? a.second < b.second : b.first < a.first;
        });
    return best->first;
  }

  // Leftmost first, as the encoder merges.
  static void replace(std::vector<std::uint32_t>& symbols, const Pair& pair, std::uint32_t merged) {
    std::size_t kept = 0;
    for (std::size_t i = 0; i < symbols.size(); ++i, ++kept) {
      const bool here =
          i + 1 < symbols.size() && symbols[i] == pair.first && symbols[i + 1] == pair.second;
      symbols[kept] = here ? merged : symbols[i];
      if (here) ++i;
    }
    symbols.resize(kept);
  }

  std::vector<Word> words_;
  std::vector<std::string> symbols_;
  std::vector<bool> digit_;  // [id] holds a digit
  std::vector<Pair> merges_;
};

void check(const BpeOptions& options) {
  std::set<std::string_view> seen;
  for (const auto* list : {&options.special_tokens, &options.visible_tokens}) {
    for (const std::string& token : *list) {
      std::string bytes;
      // The vocabulary spells bytes as characters: a token that reads as other bytes is ambiguous.
      const bool ambiguous = append_byte_level(bytes, token) && bytes != token;
      if (token.size() < 2 || ambiguous || sanitize_utf8(token) != token) {
        throw_usage("added token \"{}\" cannot be told from text; use one like <|name|>",
                    sanitize_utf8(token));
      }
      if (!seen.insert(token).second) throw_usage("added token \"{}\" is given twice", token);
    }
  }
  const std::size_t needed = kBytes + seen.size();
  if (options.vocab_size < needed) {
    throw_usage("a vocabulary of {} is too small: the bytes and {} added tokens take {}",
                options.vocab_size, seen.size(), needed);
  }
  constexpr std::size_t kMost = std::size_t{1} << 16;  // counting anew each time takes hours there
  if (options.vocab_size > kMost) {
    throw_usage("a vocabulary of {} is too large: at most {}", options.vocab_size, kMost);
  }
}

BpeOptions checked(BpeOptions options) {
  check(options);
  return options;
}

// [{content, special}], ids counting from `first`.
std::vector<TokenizerData::Added> added_tokens(const BpeOptions& options, std::size_t first) {
  std::vector<TokenizerData::Added> added;
  const auto append = [&](const std::string& content, bool special) {
    added.push_back({content, static_cast<TokenId>(first + added.size()), special});
  };
  for (const std::string& token : options.special_tokens) append(token, true);
  for (const std::string& token : options.visible_tokens) append(token, false);
  return added;
}

Document added_json(const std::vector<TokenizerData::Added>& added) {
  Document list = Document::array();
  for (const TokenizerData::Added& token : added) {
    list.push_back({{"id", token.id},
                    {"content", token.content},
                    {"single_word", token.single_word},
                    {"lstrip", token.lstrip},
                    {"rstrip", token.rstrip},
                    {"normalized", token.normalized},
                    {"special", token.special}});
  }
  return list;
}

Document model_json(const Learner& learner) {
  Document vocab = Document::object(), merges = Document::array();
  std::vector<std::string> spelling;
  for (const std::string& symbol : learner.symbols()) {
    spelling.push_back(byte_level_spelling(symbol));
    vocab[spelling.back()] = spelling.size() - 1;
  }
  for (const auto& [left, right] : learner.merges()) {
    merges.push_back(spelling[left] + " " + spelling[right]);
  }
  return {{"type", "BPE"},
          {"dropout", nullptr},
          {"unk_token", nullptr},
          {"continuing_subword_prefix", nullptr},
          {"end_of_word_suffix", nullptr},
          {"fuse_unk", false},
          {"byte_fallback", false},
          {"ignore_merges", false},
          {"vocab", std::move(vocab)},
          {"merges", std::move(merges)}};
}

Document byte_level_json(bool use_regex) {
  return {{"type", "ByteLevel"},
          {"add_prefix_space", false},
          {"trim_offsets", false},
          {"use_regex", use_regex}};
}

}  // namespace

BpeTrainer::BpeTrainer(BpeOptions options)
    : options_(checked(std::move(options))),
      added_(added_tokens(options_, 0)),
      splitter_(split_regex_for("gpt-2").split_regex) {}

void BpeTrainer::add(std::string_view text) {
  const std::string valid = sanitize_utf8(text);
  for (const AddedTokens::Segment& segment : added_.split(valid, true)) {
    if (segment.id >= 0) continue;
    for (const std::string_view word : splitter_.split(segment.text)) ++words_[std::string(word)];
  }
}

std::string BpeTrainer::tokenizer_json() const {
  Learner learner(words_);
  const std::size_t added = options_.special_tokens.size() + options_.visible_tokens.size();
  while (learner.symbols().size() + added < options_.vocab_size && learner.learn_one()) {
  }
  const Document document = {
      {"version", "1.0"},
      {"truncation", nullptr},
      {"padding", nullptr},
      {"added_tokens", added_json(added_tokens(options_, learner.symbols().size()))},
      {"normalizer", nullptr},
      {"pre_tokenizer", byte_level_json(true)},
      {"post_processor", byte_level_json(false)},
      {"decoder", byte_level_json(true)},
      {"model", model_json(learner)},
  };
  return document.dump(1) + "\n";
}

}  // namespace laconic
