// SPDX-License-Identifier: Apache-2.0
// The facade on tokenizers made in place: encoding, added tokens, decoding, streaming, refusals.
#include "text/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "base/error.h"
#include "made_tokenizers.h"

namespace laconic {
namespace {

using test::made_byte_level;
using test::made_sentence_piece;

std::vector<std::string> pieces(const Tokenizer& tokenizer, std::string_view text,
                                const EncodeOptions& options = {}) {
  std::vector<std::string> out;
  for (const TokenId id : tokenizer.encode(text, options)) {
    out.emplace_back(tokenizer.piece(id));
  }
  return out;
}

std::string refusal(TokenizerData data) {
  try {
    Tokenizer tokenizer(std::move(data));
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInput);
    return error.what();
  }
  return "accepted";
}

TEST(Tokenizer, MergesInsideWordsOnly) {
  const Tokenizer tokenizer(made_byte_level());
  EXPECT_EQ(pieces(tokenizer, "the hello"),
            (std::vector<std::string>{"the", " ", "h", "e", "ll", "o"}));
  EXPECT_EQ(pieces(tokenizer, "x the"), (std::vector<std::string>{"x", " the"}));
  EXPECT_EQ(pieces(tokenizer, "aaaaaaa"), (std::vector<std::string>{"aaaa", "aa", "a"}));
  EXPECT_EQ(pieces(tokenizer, ""), std::vector<std::string>{});
}

TEST(Tokenizer, IgnoreMergesTakesWholeWords) {
  TokenizerData data = made_byte_level();
  data.tokens.push_back("zq");
  data.types.push_back(TokenType::kNormal);
  EXPECT_EQ(pieces(Tokenizer(data), "zq"), (std::vector<std::string>{"z", "q"}));
  data.ignore_merges = true;
  EXPECT_EQ(pieces(Tokenizer(data), "zq"), (std::vector<std::string>{"zq"}));
}

TEST(Tokenizer, AddsBosAndEosWhenAsked) {
  TokenizerData data = made_byte_level();
  data.eos = data.bos + 1;
  data.add_bos = data.add_eos = true;
  const Tokenizer tokenizer(data);
  EXPECT_EQ(pieces(tokenizer, "x"), (std::vector<std::string>{"<s>", "x", "<|im_end|>"}));
  EXPECT_EQ(pieces(tokenizer, "x", {.add_special = false}), (std::vector<std::string>{"x"}));
}

TEST(Tokenizer, SpecialTokensOnlyWhenParsed) {
  const Tokenizer tokenizer(made_byte_level());
  EXPECT_EQ(pieces(tokenizer, "a<s><think>b"),
            (std::vector<std::string>{"a", "<s>", "<think>", "b"}));
  EXPECT_EQ(pieces(tokenizer, "<s><think>", {.parse_special = false}),
            (std::vector<std::string>{"<", "s", ">", "<think>"}));
}

TEST(Tokenizer, ControlTypesAreAddedTokensWithoutBeingListed) {
  TokenizerData data = made_byte_level();
  const std::size_t listed = data.added.size();
  data.added.clear();
  const Tokenizer tokenizer(data);
  EXPECT_GT(listed, 0u);
  EXPECT_EQ(pieces(tokenizer, "a<s><think>"), (std::vector<std::string>{"a", "<s>", "<think>"}));
}

TEST(Tokenizer, EndTokensByIdAndByName) {
  TokenizerData data = made_byte_level();
  data.end_tokens = {7};
  const Tokenizer tokenizer(data);
  EXPECT_TRUE(tokenizer.is_end(7));
  EXPECT_TRUE(tokenizer.is_end(tokenizer.find("<|im_end|>")));
  EXPECT_FALSE(tokenizer.is_end(tokenizer.find("<s>")));
  EXPECT_FALSE(tokenizer.is_end(-1));
}

TEST(Tokenizer, InvalidBytesBecomeReplacementCharacters) {
  const Tokenizer tokenizer(made_byte_level());
  EXPECT_EQ(tokenizer.decode(tokenizer.encode("a\xff\xe4\xbd z")), "a\uFFFD\uFFFD z");
}

TEST(Tokenizer, FindsBySpellingAndByBytes) {
  const Tokenizer tokenizer(made_byte_level());
  EXPECT_EQ(tokenizer.find(" the"), tokenizer.find("Ġthe"));
  EXPECT_GE(tokenizer.find("Ġthe"), 256);
  EXPECT_EQ(tokenizer.find("nothing"), -1);
  EXPECT_EQ(tokenizer.find(""), -1);
}

TEST(Tokenizer, DecodeLeavesOutSpecialTokens) {
  const Tokenizer tokenizer(made_byte_level());
  const auto ids = tokenizer.encode("<s>the<think>");
  EXPECT_EQ(tokenizer.decode(ids), "<s>the<think>");
  EXPECT_EQ(tokenizer.decode(ids, true), "the<think>");
  EXPECT_TRUE(tokenizer.is_special(ids.front()));
}

TEST(Tokenizer, IdsOutsideTheVocabularyAreUsageErrors) {
  const Tokenizer tokenizer(made_byte_level());
  const TokenId past = static_cast<TokenId>(tokenizer.vocab_size());
  for (const TokenId id : {-1, past, std::numeric_limits<TokenId>::max()}) {
    EXPECT_FALSE(tokenizer.is_special(id));
    try {
      tokenizer.decode(std::vector<TokenId>{id});
      ADD_FAILURE() << id;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kUsage);
    }
  }
}

TEST(Tokenizer, SentencePieceByScore) {
  const Tokenizer tokenizer(made_sentence_piece());
  EXPECT_EQ(pieces(tokenizer, "the thing"),
            (std::vector<std::string>{"<s>", " the", " t", "h", "ing"}));
  // "he" beats "▁the" until "▁t" has come before it.
  EXPECT_EQ(pieces(tokenizer, "  a", {.add_special = false}),
            (std::vector<std::string>{"  ", " a"}));
  EXPECT_EQ(tokenizer.decode(tokenizer.encode("the thing"), true), "the thing");
  EXPECT_EQ(tokenizer.decode(tokenizer.encode("  a"), true), "  a");
}

TEST(Tokenizer, SentencePieceFallsBackToBytes) {
  const Tokenizer tokenizer(made_sentence_piece());
  const auto ids = tokenizer.encode("é€\n", {.add_special = false});
  EXPECT_THAT(ids, ::testing::ElementsAre(tokenizer.find("▁"), tokenizer.find("é"),
                                          tokenizer.find("<0xE2>"), tokenizer.find("<0x82>"),
                                          tokenizer.find("<0xAC>"), tokenizer.find("<0x0A>")));
  EXPECT_EQ(tokenizer.decode(ids), "é€\n");
}

TEST(Tokenizer, SentencePieceUnknownTokenStandsForARun) {
  TokenizerData data = made_sentence_piece();
  for (TokenType& type : data.types) {
    if (type == TokenType::kByte) type = TokenType::kUnused;
  }
  const Tokenizer tokenizer(data);
  EXPECT_EQ(pieces(tokenizer, "€€a", {.add_special = false}),
            (std::vector<std::string>{" ", "<unk>", "a"}));
}

TEST(Tokenizer, SpacePrefixSchemes) {
  TokenizerData data = made_sentence_piece();
  data.add_bos = false;
  using Pieces = std::vector<std::string>;
  EXPECT_EQ(pieces(Tokenizer(data), "a</s>a"), (Pieces{" a", "</s>", " a"}));
  EXPECT_EQ(pieces(Tokenizer(data), " a"), (Pieces{" ", " a"}));
  data.space_prefix_first_only = true;
  EXPECT_EQ(pieces(Tokenizer(data), "a</s>a"), (Pieces{" a", "</s>", "a"}));
  EXPECT_EQ(pieces(Tokenizer(data), "</s>a"), (Pieces{"</s>", "a"}));
  data.space_prefix_if_missing = true;
  EXPECT_EQ(pieces(Tokenizer(data), " a"), (Pieces{" a"}));
  data.add_space_prefix = false;
  EXPECT_EQ(pieces(Tokenizer(data), "a"), (Pieces{"a"}));
}

TEST(Tokenizer, CuttingAtSpacesChangesNothing) {
  TokenizerData cut = made_sentence_piece();
  TokenizerData whole = cut;
  // A token with a space inside forbids the cut; nothing merges into this one.
  whole.tokens.push_back("q▁q");
  whole.types.push_back(TokenType::kNormal);
  whole.scores.push_back(-1e9f);
  const std::string text = "the thing  in   a bell. he inning ";
  EXPECT_EQ(Tokenizer(cut).encode(text), Tokenizer(whole).encode(text));
}

TEST(Tokenizer, ByteWithoutTokenIsAnError) {
  TokenizerData data = made_byte_level();
  data.types[static_cast<unsigned char>('x')] = TokenType::kUnused;
  const Tokenizer tokenizer(data);
  EXPECT_THROW(tokenizer.encode("x"), Error);
  data.unk = 1;
  EXPECT_EQ(Tokenizer(data).encode("x"), (std::vector<TokenId>{1}));
}

TEST(Tokenizer, ContradictingTablesAreRefused) {
  EXPECT_THAT(refusal({}), ::testing::HasSubstr("empty"));
  TokenizerData data = made_byte_level();
  data.types.pop_back();
  EXPECT_THAT(refusal(data), ::testing::HasSubstr("types"));
  data = made_byte_level();
  data.scores = {1.0f};
  EXPECT_THAT(refusal(data), ::testing::HasSubstr("scores"));
  data = made_byte_level();
  data.eos = 100000;
  EXPECT_THAT(refusal(data), ::testing::HasSubstr("eos"));
  data = made_byte_level();
  data.add_eos = true;
  EXPECT_THAT(refusal(data), ::testing::HasSubstr("add_eos"));
  data = made_byte_level();
  data.merges.emplace_back("q", "q");
  EXPECT_THAT(refusal(data), ::testing::HasSubstr("\"qq\", which the vocabulary lacks"));
  data = made_byte_level();
  data.added[0].id = -5;
  EXPECT_THAT(refusal(data), ::testing::HasSubstr("-5"));
  data = made_byte_level();
  data.split_regex = {"(unclosed"};
  EXPECT_THAT(refusal(data), ::testing::HasSubstr("(unclosed"));
  data = made_sentence_piece();
  data.scores[5] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT(refusal(data), ::testing::HasSubstr("NaN"));
  data = made_sentence_piece();
  data.tokens[5] = "<0xZZ>";
  EXPECT_THAT(refusal(data), ::testing::HasSubstr("<0xZZ>"));
}

TEST(TokenStream, NeverShowsHalfACharacter) {
  const Tokenizer tokenizer(made_byte_level());
  TokenStream stream(tokenizer);
  const auto ids = tokenizer.encode("é!");
  ASSERT_EQ(ids.size(), 3u);
  EXPECT_EQ(stream.push(ids[0]), "");
  EXPECT_EQ(stream.push(ids[1]), "é");
  EXPECT_EQ(stream.push(ids[0]), "");
  EXPECT_EQ(stream.push(ids[2]), "\uFFFD!");
  EXPECT_EQ(stream.push(ids[0]), "");
  EXPECT_EQ(stream.finish(), "\uFFFD");
  EXPECT_EQ(stream.finish(), "");
}

TEST(TokenStream, StripsThePrefixOnlyAtTheStart) {
  const Tokenizer tokenizer(made_sentence_piece());
  const TokenId word = tokenizer.find("▁the");
  TokenStream first(tokenizer, true, true);
  EXPECT_EQ(first.push(tokenizer.data().bos), "");
  EXPECT_EQ(first.push(word), "the");
  EXPECT_EQ(first.push(word), " the");
  TokenStream later(tokenizer);
  EXPECT_EQ(later.push(word), " the");
}

TEST(SlowTokenizer, LongWordsTakeSaneTime) {
  // Quadratic merging or regex backtracking would take hours here.
  const Tokenizer bytes(made_byte_level());
  const Tokenizer piece(made_sentence_piece());
  constexpr std::size_t kLength = 2'000'000;
  for (const char c : {'a', ' ', '!', '\n'}) {
    const std::string text(kLength, c);
    EXPECT_EQ(bytes.decode(bytes.encode(text)), text);
    EXPECT_EQ(piece.decode(piece.encode(text), true), text);
  }
}

}  // namespace
}  // namespace laconic
