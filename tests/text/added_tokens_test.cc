// SPDX-License-Identifier: Apache-2.0
#include "text/added_tokens.h"

#include <gtest/gtest.h>

namespace laconic {
namespace {

std::vector<std::string> split(const AddedTokens& added, std::string_view text) {
  std::vector<std::string> out;
  for (const auto& segment : added.split(text, true)) {
    out.push_back((segment.id < 0 ? "" : "#") + std::string(segment.text));
  }
  return out;
}

using Parts = std::vector<std::string>;

TEST(AddedTokens, LongestAtTheLeftmostPlace) {
  const AddedTokens added({{"ab", 1}, {"abcd", 2}, {"b", 3}, {"", 4}});
  EXPECT_EQ(split(added, "xabcabcdb"), (Parts{"x", "#ab", "c", "#abcd", "#b"}));
  EXPECT_EQ(split(added, ""), Parts{});
  EXPECT_EQ(added.find("abcd"), 2);
  EXPECT_EQ(added.find("abc"), -1);
}

TEST(AddedTokens, BytesAboveAsciiMatch) {
  const AddedTokens added({{"<｜User｜>", 1}, {"<｜Assistant｜>", 2}});
  EXPECT_EQ(split(added, "<｜User｜>é<｜Assistant｜>"),
            (Parts{"#<｜User｜>", "é", "#<｜Assistant｜>"}));
}

TEST(AddedTokens, StripsWhiteSpaceAroundThem) {
  TokenizerData::Added left{"<l>", 1}, right{"<r>", 2};
  left.lstrip = true;
  right.rstrip = true;
  const AddedTokens added({left, right});
  EXPECT_EQ(split(added, "a \u3000<l> b <r> \n<l>c"),
            (Parts{"a", "# \u3000<l>", " b ", "#<r> \n", "#<l>", "c"}));
}

TEST(AddedTokens, SingleWordsStandAlone) {
  TokenizerData::Added word{"cat", 1};
  word.single_word = true;
  const AddedTokens added({word});
  EXPECT_EQ(split(added, "cat cats écat cat"), (Parts{"#cat", " cats écat ", "#cat"}));
}

}  // namespace
}  // namespace laconic
