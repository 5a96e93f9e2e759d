// SPDX-License-Identifier: Apache-2.0
#include "text/split_regex.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "text/pretokenizer.h"
#include "text/unicode.h"

namespace laconic {
namespace {

using Pieces = std::vector<std::string_view>;

TEST(RegexSplitter, MatchesAndGapsArePieces) {
  const RegexSplitter splitter({"[0-9]+"});
  EXPECT_EQ(splitter.split("ab12c3"), (Pieces{"ab", "12", "c", "3"}));
  EXPECT_EQ(splitter.split("12"), (Pieces{"12"}));
  EXPECT_EQ(splitter.split(""), Pieces{});
  EXPECT_EQ(RegexSplitter({}).split("ab 12"), (Pieces{"ab 12"}));
}

TEST(RegexSplitter, PatternsApplyInsidePieces) {
  const RegexSplitter splitter({"[0-9]+", "[0-9][0-9][0-9]"});
  EXPECT_EQ(splitter.split("x12345"), (Pieces{"x", "123", "45"}));
}

TEST(RegexSplitter, EmptyMatchesAreNoPieces) {
  EXPECT_EQ(RegexSplitter({"b*"}).split("abba"), (Pieces{"a", "bb", "a"}));
  EXPECT_EQ(RegexSplitter({"(?=b)"}).split("ab"), (Pieces{"ab"}));
}

TEST(RegexSplitter, LookBehindSeesTheTextBefore) {
  EXPECT_EQ(RegexSplitter({"(?<=a)b"}).split("abb"), (Pieces{"a", "b", "b"}));
}

TEST(RegexSplitter, MongolianVowelSeparatorIsNoWhiteSpace) {
  const RegexSplitter space({"\\s+"}), other({"[^\\sx]+"}), outside({"\\S+"});
  EXPECT_EQ(space.split("x\u180ex"), (Pieces{"x\u180ex"}));
  EXPECT_EQ(space.split("x\u2003\u0085\u3000x"), (Pieces{"x", "\u2003\u0085\u3000", "x"}));
  EXPECT_EQ(other.split("x\u180e x"), (Pieces{"x", "\u180e", " x"}));
  EXPECT_EQ(outside.split(" \u180e "), (Pieces{" ", "\u180e", " "}));
}

TEST(RegexSplitter, WhiteSpaceIsTheUnicodeProperty) {
  const RegexSplitter space({"\\s"});
  for (char32_t c = 1; c < 0x3100; ++c) {
    std::string text = "a";
    const bool ascii = c < 0x80;
    if (ascii) {
      text += static_cast<char>(c);
    } else if (c < 0x800) {
      text += {static_cast<char>(0xc0 | (c >> 6)), static_cast<char>(0x80 | (c & 0x3f))};
    } else {
      text += {static_cast<char>(0xe0 | (c >> 12)), static_cast<char>(0x80 | ((c >> 6) & 0x3f)),
               static_cast<char>(0x80 | (c & 0x3f))};
    }
    ASSERT_EQ(space.split(text).size() == 2, is_white_space(c)) << static_cast<unsigned>(c);
  }
}

TEST(RegexSplitter, SpellsOutInsideAndOutsideClasses) {
  EXPECT_EQ(spell_out_white_space("a\\\\s[]x]"), "a\\\\s[]x]");
  EXPECT_NE(spell_out_white_space("[^\\s]").find("[^\\x{9}"), std::string::npos);
  EXPECT_NE(spell_out_white_space("\\S").find("[^\\x{9}"), std::string::npos);
  EXPECT_THROW(spell_out_white_space("[\\S]"), Error);
}

TEST(RegexSplitter, BadPatternsAreRefused) {
  EXPECT_THROW(RegexSplitter({"(a"}), Error);
  EXPECT_THROW(RegexSplitter({"\\C"}), Error);
}

TEST(RegexSplitter, HopelessPatternsGiveUpWithAnError) {
  const RegexSplitter splitter({"(?:a+)+(?:a+)+(?:a+)+[bc]"});
  EXPECT_THROW(splitter.split(std::string(5000, 'a')), Error);
}

TEST(PreTokenizer, NamesSplitAsTheirModelsDo) {
  const std::string text = "I'LL pay 12345\n\n  now";
  EXPECT_EQ(RegexSplitter(split_regex_for("gpt-2").split_regex).split(text),
            (Pieces{"I", "'", "LL", " pay", " 12345", "\n\n ", " now"}));
  EXPECT_EQ(RegexSplitter(split_regex_for("qwen2").split_regex).split(text),
            (Pieces{"I", "'LL", " pay", " ", "1", "2", "3", "4", "5", "\n\n", " ", " now"}));
  EXPECT_EQ(RegexSplitter(split_regex_for("llama-bpe").split_regex).split(text),
            (Pieces{"I", "'LL", " pay", " ", "123", "45", "\n\n", " ", " now"}));
}

TEST(PreTokenizer, DefaultGroupsDigitsByThrees) {
  EXPECT_EQ(RegexSplitter(split_regex_for("default").split_regex).split("ab 12345!"),
            (Pieces{"ab", " ", "123", "45", "!"}));
}

TEST(PreTokenizer, UnknownNamesAreRefusedWithTheKnownOnes) {
  try {
    split_regex_for("tekken");
    FAIL();
  } catch (const Error& error) {
    const std::string message = error.what();
    EXPECT_NE(message.find("tekken"), std::string::npos);
    EXPECT_NE(message.find("deepseek-r1-qwen"), std::string::npos);
  }
}

TEST(PreTokenizer, NamesAreFoundAgain) {
  for (const char* name : {"gpt-2", "qwen2", "llama-bpe", "default"}) {
    TokenizerData data;
    data.split_regex = split_regex_for(name).split_regex;
    EXPECT_EQ(deduce_pre(data), name);
  }
  TokenizerData data;
  data.split_regex = {"x"};
  EXPECT_EQ(deduce_pre(data), "");
  data.kind = TokenizerKind::kSentencePiece;
  EXPECT_EQ(deduce_pre(data), "default");
  data.kind = TokenizerKind::kByteLevelBpe;
  data.split_regex = split_regex_for("qwen2").split_regex;
  data.added.push_back({"<｜begin▁of▁sentence｜>", 3, true});
  EXPECT_EQ(deduce_pre(data), "deepseek-r1-qwen");
}

TEST(Unicode, NfcComposesReordersAndKeepsExclusions) {
  EXPECT_EQ(to_nfc("plain"), "plain");
  EXPECT_EQ(to_nfc("e\u0301"), "\u00e9");
  EXPECT_EQ(to_nfc("a\u0315\u0300"), "\u00e0\u0315");  // marks change places
  EXPECT_EQ(to_nfc("\u1100\u1161\u11a8"), "\uac01");   // Hangul
  EXPECT_EQ(to_nfc("\u0958"), "\u0915\u093c");         // composition exclusion
  EXPECT_EQ(to_nfc("\u212b"), "\u00c5");               // singleton
  EXPECT_EQ(to_nfc("\ufb01"), "\ufb01");               // compatibility forms stay
  EXPECT_EQ(to_nfc("\u0344"), "\u0308\u0301");
}

}  // namespace
}  // namespace laconic
