// SPDX-License-Identifier: Apache-2.0
#include "text/reasoning.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <string>
#include <vector>

namespace laconic {
namespace {

void expect_split(const std::string& text, bool inside, const std::string& reasoning,
                  const std::string& answer) {
  const ReasoningText out = split_reasoning(text, inside);
  EXPECT_EQ(out.reasoning, reasoning) << text;
  EXPECT_EQ(out.answer, answer) << text;
}

TEST(Reasoning, TakesTagsAndTheirLineBreaksAway) {
  expect_split("<think>\nOne.\n\nTwo.\n</think>\n\nAnswer\n", false, "One.\n\nTwo.", "Answer\n");
  expect_split(" \n<think>r</think>a", false, "r", "a");
  expect_split("<think></think>a", false, "", "a");
  expect_split("<think>\n\n</think>\n\n", false, "", "");
  expect_split("<think>\r\nr\r\n</think>\r\na", false, "r", "a");
}

TEST(Reasoning, TextWithoutTagIsTheAnswer) {
  expect_split("", false, "", "");
  expect_split("\n plain\n", false, "", "\n plain\n");
  expect_split("  ", false, "", "  ");
  expect_split("<thin", false, "", "<thin");
  expect_split("<thinking>x</thinking>", false, "", "<thinking>x</thinking>");
  expect_split("x<think>y</think>z", false, "", "x<think>y</think>z");
}

TEST(Reasoning, InsideNeedsNoOpeningTag) {
  expect_split("r\n</think>\n\na", true, "r", "a");
  expect_split("\nr</think>a </think> b", true, "r", "a </think> b");
  expect_split("never ends\n", true, "never ends\n", "");
  expect_split("</thin", true, "</thin", "");
}

TEST(Reasoning, NeverEndingBlockHasNoAnswer) {
  expect_split("<think>on and on </thi", false, "on and on </thi", "");
}

TEST(Reasoning, HoldsBackWhatCouldBeATag) {
  ReasoningParser parser;
  EXPECT_EQ(parser.push("<thi").answer, "");
  EXPECT_FALSE(parser.inside());
  EXPECT_EQ(parser.push("nk>\nab\n</t").reasoning, "ab");
  EXPECT_TRUE(parser.inside());
  EXPECT_EQ(parser.push("ea>c").reasoning, "\n</tea>c");
  EXPECT_EQ(parser.push("</think>\n").reasoning, "");
  EXPECT_FALSE(parser.inside());
  EXPECT_EQ(parser.push("\nx").answer, "x");
  EXPECT_EQ(parser.push("\n").answer, "\n");
  EXPECT_EQ(parser.finish().answer, "");
}

TEST(Reasoning, PromptOpensReasoning) {
  EXPECT_TRUE(prompt_opens_reasoning("<|Assistant|><think>\n"));
  EXPECT_TRUE(prompt_opens_reasoning("<think>a</think>b<think>"));
  EXPECT_FALSE(prompt_opens_reasoning("<think>\n\n</think>\n\n"));
  EXPECT_FALSE(prompt_opens_reasoning("</think>"));
  EXPECT_FALSE(prompt_opens_reasoning(""));
}

RC_GTEST_PROP(Reasoning, AnyCutGivesTheSameParts, ()) {
  const auto pieces = *rc::gen::container<std::vector<std::string>>(rc::gen::element<std::string>(
      "<think>", "</think>", "<", "</", "think", ">", "\n", " ", "a", "\r\n", "b c", "</thi", "é"));
  std::string text;
  for (const std::string& piece : pieces) text += piece;
  const bool inside = *rc::gen::arbitrary<bool>();
  const auto sizes =
      *rc::gen::container<std::vector<std::size_t>>(rc::gen::inRange<std::size_t>(0, 6));
  const ReasoningText whole = split_reasoning(text, inside);
  ReasoningParser parser(inside);
  ReasoningText joined;
  const auto add = [&](const ReasoningText& part) {
    joined.reasoning += part.reasoning;
    joined.answer += part.answer;
  };
  std::string_view rest = text;
  for (const std::size_t size : sizes) {
    add(parser.push(rest.substr(0, size)));
    rest.remove_prefix(std::min(size, rest.size()));
  }
  for (const char& c : rest) add(parser.push(std::string_view(&c, 1)));
  add(parser.finish());
  RC_ASSERT(joined.reasoning == whole.reasoning);
  RC_ASSERT(joined.answer == whole.answer);
}

}  // namespace
}  // namespace laconic
