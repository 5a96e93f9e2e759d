// SPDX-License-Identifier: Apache-2.0
// What is learned, by hand and by law; the file is read back by the tokenizer that models use.
#include "data/bpe_trainer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/utf8.h"
#include "text/hf_tokenizer.h"
#include "text/tokenizer.h"

namespace laconic {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string trained(const BpeOptions& options, const std::vector<std::string>& texts) {
  BpeTrainer trainer(options);
  for (const std::string& text : texts) trainer.add(text);
  return trainer.tokenizer_json();
}

Tokenizer read(const std::string& json) {
  return Tokenizer(parse_tokenizer_json(json, "tokenizer.json"));
}

// The tokens after the 256 bytes, as bytes.
std::vector<std::string> learned(const BpeOptions& options, const std::vector<std::string>& texts) {
  const Tokenizer tokenizer = read(trained(options, texts));
  std::vector<std::string> out;
  for (std::size_t id = 256; id < tokenizer.vocab_size(); ++id) {
    out.emplace_back(tokenizer.piece(static_cast<TokenId>(id)));
  }
  return out;
}

std::string refusal(const BpeOptions& options) {
  try {
    const BpeTrainer trainer(options);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kUsage);
    return error.what();
  }
  return "accepted";
}

TEST(BpeTrainer, LearnsTheTinyExampleByHand) {
  // Pairs of aab, _aab and _ab: a-b 3, a-a 2, _-a 2. Then a-ab 2. Then _-ab and _-aab once each:
  // the smaller ids go first.
  EXPECT_THAT(learned({1000, {}, {}}, {"aab aab ab"}), ElementsAre("ab", "aab", " ab", " aab"));
}

TEST(BpeTrainer, StopsAtTheSizeAskedFor) {
  EXPECT_THAT(learned({258, {}, {}}, {"aab aab ab"}), ElementsAre("ab", "aab"));
  EXPECT_THAT(learned({256, {}, {}}, {"aab aab ab"}), IsEmpty());
}

TEST(BpeTrainer, MergesEqualNeighboursFromTheLeft) {
  EXPECT_THAT(learned({1000, {}, {}}, {"aaaaa"}), ElementsAre("aa", "aaa", "aaaaa"));
}

TEST(BpeTrainer, CountsWordsAsOftenAsTheyStand) {
  // " x" three times in one word against "ab" in two different words.
  EXPECT_THAT(learned({257, {}, {}}, {"abc abd xy xy xy"}), ElementsAre(" x"));
}

TEST(BpeTrainer, LearnsBrokenBytesAsTheTokenizerWillReadThem) {
  EXPECT_THAT(learned({1000, {}, {}}, {"\xff"}), ElementsAre("\xbf\xbd", "\ufffd"));
}

TEST(BpeTrainer, BytesHaveTheirOwnValueAsId) {
  const Tokenizer tokenizer = read(trained({256, {}, {}}, {}));
  EXPECT_EQ(tokenizer.encode("a \n"), (std::vector<TokenId>{'a', ' ', '\n'}));
  EXPECT_EQ(tokenizer.encode("\xc3\xa9"), (std::vector<TokenId>{0xc3, 0xa9}));
}

TEST(BpeTrainer, SpaceMayJoinADigitButDigitsNeverJoin) {
  EXPECT_THAT(learned({1000, {}, {}}, {"12 12 12 1"}), ElementsAre(" 1"));
  // A superscript is a number to the pre-tokenizer, so that digits stand around it in one word.
  for (const std::string& token : learned({1000, {}, {}}, {"1\u00b22 1\u00b22"})) {
    EXPECT_LE(
        std::count_if(token.begin(), token.end(), [](char c) { return c == '1' || c == '2'; }), 1)
        << token;
  }
}

TEST(BpeTrainer, AddedTokensComeLastAndAreNotLearnedFrom) {
  const BpeOptions options{1000, {"<|end|>"}, {"<think>", "</think>"}};
  const std::string text = "ab<think>ab</think>ab<|end|>";
  EXPECT_THAT(learned(options, {text}), ElementsAre("ab", "<|end|>", "<think>", "</think>"));
  const Tokenizer tokenizer = read(trained(options, {text}));
  EXPECT_EQ(tokenizer.encode(text), (std::vector<TokenId>{256, 258, 256, 259, 256, 257}));
  EXPECT_TRUE(tokenizer.is_special(257));
  EXPECT_FALSE(tokenizer.is_special(258));
  EXPECT_EQ(tokenizer.decode(tokenizer.encode(text), true), "ab<think>ab</think>ab");
}

TEST(BpeTrainer, FileNamesThePreTokenizerThatGgufKnows) {
  const TokenizerData data = parse_tokenizer_json(trained({300, {}, {}}, {"hello"}), "file");
  EXPECT_EQ(data.pre, "gpt-2");
  EXPECT_FALSE(data.add_space_prefix);
  EXPECT_FALSE(data.nfc);
}

TEST(BpeTrainer, RefusesWhatCannotBeAVocabulary) {
  EXPECT_THAT(refusal({255, {}, {}}), AllOf(HasSubstr("255"), HasSubstr("256")));
  EXPECT_THAT(refusal({257, {"<a>"}, {"<b>"}}), AllOf(HasSubstr("257"), HasSubstr("258")));
  EXPECT_THAT(refusal({std::size_t{1} << 40, {}, {}}), HasSubstr("at most"));
  EXPECT_THAT(refusal({300, {"<a>"}, {"<a>"}}), HasSubstr("\"<a>\" is given twice"));
  for (const char* token : {"", "a", "\u0120t", "<\xff>"}) {
    EXPECT_THAT(refusal({300, {token}, {}}), HasSubstr("cannot be told from text")) << token;
  }
  EXPECT_EQ(refusal({258, {"<a>"}, {"<b>"}}), "accepted");
}

rc::Gen<std::string> english_like() {
  return rc::gen::container<std::string>(rc::gen::elementOf(std::string("aabbc 1290.\n'<|e>")));
}

RC_GTEST_PROP(BpeTrainerLaws, AnyBytesRoundTrip, (const std::string& bytes)) {
  const Tokenizer tokenizer =
      read(trained({320, {"<|e|>"}, {"<t>"}}, {*english_like(), *english_like(), bytes}));
  const std::string text = bytes + *english_like();
  RC_ASSERT(tokenizer.decode(tokenizer.encode(text)) == sanitize_utf8(text));
}

RC_GTEST_PROP(BpeTrainerLaws, NoTokenHoldsTwoDigits, ()) {
  const auto text = *english_like();
  for (const std::string& token : learned({400, {}, {}}, {text})) {
    const auto digits =
        std::count_if(token.begin(), token.end(), [](char c) { return c >= '0' && c <= '9'; });
    RC_ASSERT(digits <= 1);
  }
}

RC_GTEST_PROP(BpeTrainerLaws, OrderOfTextsDoesNotMatter, ()) {
  auto texts = *rc::gen::container<std::vector<std::string>>(english_like());
  const BpeOptions options{300, {"<|e|>"}, {}};
  const std::string before = trained(options, texts);
  std::reverse(texts.begin(), texts.end());
  RC_ASSERT(trained(options, texts) == before);
}

// No token is a copy of another, and each learned one is seen in some text.
RC_GTEST_PROP(BpeTrainerLaws, TokensAreDistinctPartsOfTheText, ()) {
  const auto text = *english_like();
  const auto tokens = learned({400, {}, {}}, {text});
  RC_ASSERT(std::set<std::string>(tokens.begin(), tokens.end()).size() == tokens.size());
  for (const std::string& token : tokens) RC_ASSERT(text.find(token) != std::string::npos);
}

}  // namespace
}  // namespace laconic
