// SPDX-License-Identifier: Apache-2.0
// Laws that hold for every text: round trips, streaming equal to decoding, merging equal to its
// definition.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

#include "base/utf8.h"
#include "made_tokenizers.h"
#include "text/added_tokens.h"
#include "text/bpe.h"
#include "text/tokenizer.h"
#include "text/unicode.h"

namespace laconic {
namespace {

// Code points of all planes, with much of what tokenizers treat apart.
rc::Gen<std::string> any_text() {
  const std::string common = "the hello 12 \n\t'sll<>a ";
  const auto point = rc::gen::weightedOneOf<std::uint32_t>(
      {{6, rc::gen::elementOf(std::vector<std::uint32_t>(common.begin(), common.end()))},
       {2, rc::gen::inRange<std::uint32_t>(0x20, 0x250)},
       {2, rc::gen::inRange<std::uint32_t>(0x300, 0x370)},
       {1, rc::gen::inRange<std::uint32_t>(0x1100, 0x1200)},
       {1, rc::gen::inRange<std::uint32_t>(0x2000, 0x2600)},
       {1, rc::gen::inRange<std::uint32_t>(0xac00, 0xac80)},
       {1, rc::gen::inRange<std::uint32_t>(0xe000, 0x110000)}});
  return rc::gen::map(rc::gen::container<std::vector<std::uint32_t>>(point), [](const auto& all) {
    std::string text;
    for (const std::uint32_t c : all) append_utf8(text, c);
    return text;
  });
}

bool is_valid_utf8(std::string_view text) { return sanitize_utf8(text) == text; }

RC_GTEST_PROP(TokenizerLaws, ByteLevelRoundTrip, ()) {
  const auto text = *any_text();
  for (const char* pre : {"gpt-2", "qwen2", "llama-bpe", "default"}) {
    const Tokenizer tokenizer(test::made_byte_level(pre));
    const std::string expected = tokenizer.data().nfc ? to_nfc(text) : text;
    RC_ASSERT(tokenizer.decode(tokenizer.encode(text)) == expected);
  }
}

RC_GTEST_PROP(TokenizerLaws, ArbitraryBytesRoundTrip, (const std::string& bytes)) {
  const Tokenizer tokenizer(test::made_byte_level("qwen2"));
  RC_ASSERT(tokenizer.decode(tokenizer.encode(bytes)) == to_nfc(sanitize_utf8(bytes)));
}

RC_GTEST_PROP(TokenizerLaws, SentencePieceRoundTrip, ()) {
  const auto text = *any_text();
  const Tokenizer tokenizer(test::made_sentence_piece());
  RC_PRE(text.find("\u2581") == std::string::npos);  // is taken for a space
  RC_ASSERT(tokenizer.decode(tokenizer.encode(text), true) == text);
}

RC_GTEST_PROP(TokenizerLaws, StreamEqualsDecode, ()) {
  static const Tokenizer kTokenizers[] = {Tokenizer(test::made_byte_level()),
                                          Tokenizer(test::made_sentence_piece())};
  for (const Tokenizer& tokenizer : kTokenizers) {
    const auto limit = static_cast<TokenId>(tokenizer.vocab_size());
    const auto ids = *rc::gen::container<std::vector<TokenId>>(rc::gen::inRange<TokenId>(0, limit));
    const bool skip = *rc::gen::arbitrary<bool>();
    TokenStream stream(tokenizer, skip, true);
    std::string whole;
    for (const TokenId id : ids) {
      const std::string part = stream.push(id);
      RC_ASSERT(is_valid_utf8(part));
      whole += part;
    }
    whole += stream.finish();
    RC_ASSERT(whole == tokenizer.decode(ids, skip));
  }
}

// The definition, one pair at a time.
std::vector<TokenId> merged_naively(const MergeTable& table, std::vector<TokenId> word) {
  for (;;) {
    const MergeTable::Merge* best = nullptr;
    std::size_t at = 0;
    for (std::size_t i = 0; i + 1 < word.size(); ++i) {
      const MergeTable::Merge* merge = table.find(word[i], word[i + 1]);
      if (merge && (!best || merge->rank < best->rank)) {
        best = merge;
        at = i;
      }
    }
    if (!best) return word;
    word[at] = best->merged;
    word.erase(word.begin() + static_cast<std::ptrdiff_t>(at) + 1);
  }
}

RC_GTEST_PROP(TokenizerLaws, MergingFollowsItsDefinition, ()) {
  // Few tokens and few ranks: pairs come back, ranks tie, merged tokens merge again earlier.
  MergeTable table;
  const auto token = rc::gen::inRange<TokenId>(0, 5);
  const auto rules = *rc::gen::container<std::vector<std::tuple<TokenId, TokenId, int, TokenId>>>(
      rc::gen::tuple(token, token, rc::gen::inRange(0, 4), token));
  for (const auto& [left, right, rank, merged] : rules) {
    table.add(left, right, {static_cast<std::uint32_t>(rank), merged});
  }
  const auto word = *rc::gen::container<std::vector<TokenId>>(token);
  std::vector<TokenId> out;
  BpeMerger merger(table);
  merger.merge(word, out);
  RC_ASSERT(out == merged_naively(table, word));
}

RC_GTEST_PROP(TokenizerLaws, LongestAddedTokenWins, ()) {
  const auto letters = rc::gen::container<std::string>(rc::gen::elementOf(std::string("ab<")));
  std::vector<TokenizerData::Added> tokens;
  for (const auto& content : *rc::gen::container<std::vector<std::string>>(letters)) {
    tokens.push_back({content, static_cast<TokenId>(tokens.size()), *rc::gen::arbitrary<bool>()});
  }
  const auto text = *letters;
  const bool parse_special = *rc::gen::arbitrary<bool>();
  const AddedTokens added(tokens);
  std::string joined;
  for (const auto& segment : added.split(text, parse_special)) {
    RC_ASSERT(!segment.text.empty());
    const std::size_t at = joined.size();
    joined += segment.text;
    // Whatever stands here, no allowed token of greater length does.
    const std::size_t length = segment.id < 0 ? 0 : segment.text.size();
    for (const auto& token : tokens) {
      // Of equal contents the first counts.
      const bool first = added.find(token.content) == token.id;
      const bool allowed = first && (parse_special || !token.special);
      const bool fits = text.compare(at, token.content.size(), token.content) == 0;
      RC_ASSERT(!(allowed && fits && token.content.size() > length));
    }
  }
  RC_ASSERT(joined == text);
}

}  // namespace
}  // namespace laconic
