// SPDX-License-Identifier: Apache-2.0
#include "eval/grade.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace laconic {
namespace {

std::string extracted(std::string_view text) { return extract_answer(text).value_or("(none)"); }

TEST(ExtractAnswer, TheLastBoxCounts) {
  EXPECT_EQ(extracted("The answer is \\boxed{42}."), "42");
  EXPECT_EQ(extracted("\\boxed{1} no, \\boxed{2}, then 3"), "2");
  EXPECT_EQ(extracted("\\boxed{7} #### 8"), "7");
  EXPECT_EQ(extracted("$\\boxed{ 1,234 }$"), "1234");
  EXPECT_EQ(extracted("\\boxed{12{,}345.50}"), "12345.50");
  EXPECT_EQ(extracted("\\boxed{\\$18}"), "18");
  EXPECT_EQ(extracted("\\boxed{-\\$18.}"), "-18");
  EXPECT_EQ(extracted("\\boxed{50\\%}"), "50");
  EXPECT_EQ(extracted("\\boxed{\xe2\x88\x92"
                      "3}"),
            "-3");
}

TEST(ExtractAnswer, BracesInABoxAreBalanced) {
  EXPECT_EQ(extracted("\\boxed{\\text{42}} 9"), "42");
  EXPECT_EQ(extracted("\\boxed{\\frac{3}{4}}"), "3/4");
  EXPECT_EQ(extracted("\\boxed{\\dfrac{3}{4}}"), "3/4");
  EXPECT_EQ(extracted("\\boxed{a{b}{c{d}}}"), "a{b}{c{d}}");
}

TEST(ExtractAnswer, ABoxThatIsCutOffOrEmptyIsNone) {
  EXPECT_EQ(extracted("\\boxed{5} and \\boxed{6"), "5");
  EXPECT_EQ(extracted("put it in \\boxed{}: 6"), "6");
  EXPECT_EQ(extracted("\\boxed{"), "(none)");
  EXPECT_EQ(extracted("\\frac{ \\boxed{\\frac{1}{2"), "2");
}

TEST(ExtractAnswer, ABoxWithOneNumberInItIsThatNumber) {
  EXPECT_EQ(extracted("\\boxed{42 \\text{ apples}}"), "42");
  EXPECT_EQ(extracted("\\boxed{x = -42}"), "-42");
  EXPECT_EQ(extracted("\\boxed{3x + 5}"), "3x + 5");
  EXPECT_EQ(extracted("\\boxed{yes}"), "yes");
}

TEST(ExtractAnswer, MixedNumbersAndShortFractions) {
  EXPECT_EQ(extracted("\\boxed{2\\frac{1}{2}}"), "5/2");
  EXPECT_TRUE(same_answer(extracted("\\boxed{2\\frac{1}{2}}"), "2.5"));
  EXPECT_EQ(extracted("\\boxed{-2 \\dfrac{1}{2}}"), "-5/2");
  EXPECT_EQ(extracted("\\boxed{\\frac12}"), "1/2");
  EXPECT_EQ(extracted("\\boxed{-\\frac 1 {20}}"), "-1/20");
  EXPECT_EQ(extracted("\\boxed{3\\frac14}"), "13/4");
  EXPECT_EQ(extracted("#### $1\\frac{3}{4}$"), "7/4");
  EXPECT_EQ(extracted("so it is \\(2\\tfrac{1}{2}\\)"), "5/2");
  // What is no mixed number does not run together into another one.
  for (const char* text :
       {"1.5\\frac{1}{2}", "2\\frac{3}{2}", "\\frac{1}{2}3", "\\frac{1}{2}\\frac{1}{3}",
        "x^2\\frac{1}{2}", "2\\frac{a}{b}", "\\frac{1}{x}", "\\frac{x}{2}"}) {
    EXPECT_FALSE(is_number(extracted("\\boxed{" + std::string(text) + "}"))) << text;
  }
  EXPECT_EQ(extracted("\\frac{\\frac{1}{2}"), "1/2");
}

TEST(ExtractAnswer, SignsOfABox) {
  EXPECT_EQ(extracted("\\boxed{- 5}"), "-5");
  EXPECT_EQ(extracted("\\boxed{-(5)}"), "-5");
  EXPECT_EQ(extracted("\\boxed{-\\left(5\\right)}"), "-5");
  EXPECT_EQ(extracted("\\boxed{(-5)}"), "-5");
  EXPECT_EQ(extracted("\\boxed{+5}"), "5");
  EXPECT_EQ(extracted("\\boxed{\xe2\x80\x93"
                      "5}"),
            "-5");
  EXPECT_EQ(extracted("it falls by \xe2\x80\x93"
                      "5"),
            "-5");
  EXPECT_EQ(extracted("pages 3\xe2\x80\x93"
                      "5"),
            "5");
}

TEST(ExtractAnswer, ANumberInsideOtherMathsIsNotTheAnswer) {
  for (const char* text :
       {"\\sqrt{2}", "x-3", "x - 3", "2^x", "5!", "|5|", "3x + y", "5\\pi", "5/x", "\\log 5",
        "about 42", "<5", "\\approx 5", "42 = x + y", "5\xcf\x80"}) {
    EXPECT_EQ(extracted("\\boxed{" + std::string(text) + "}"), text);
    EXPECT_FALSE(same_answer(extracted("\\boxed{" + std::string(text) + "}"), "5")) << text;
  }
}

TEST(ExtractAnswer, UnitsAndNamesAroundTheNumber) {
  for (const char* text : {"42 apples", "42\\text{ km/h}", "42\\,\\mathrm{cm}",
                           "\\text{Total: } 42", "\\text{42 apples}", "\\mathbf{42}", "x = 42",
                           "\\text{Total} = 42", "f(x) = 42", "Total: 42", "42^\\circ",
                           "42\xc2\xb0"
                           "C",
                           "42 p.m.", "(42)", "{42}", "**42**", "42 cm\xc2\xb2", "\\$42 USD"}) {
    EXPECT_EQ(extracted("\\boxed{" + std::string(text) + "}"), "42") << text;
  }
}

TEST(ExtractAnswer, HeadingsAreNoAnswers) {
  EXPECT_EQ(extracted("#### Final Answer\nIt is 42."), "42");
  EXPECT_EQ(extracted("#### Step 4\nSo there are 42."), "42");
  EXPECT_EQ(extracted("There are 42.\n\n#### Step 4"), "4");  // the last number of the text
  EXPECT_EQ(extracted("#### 4. Add\n40 + 2 = 42"), "42");
  EXPECT_EQ(extracted("#### 42 apples\nThat took 3 steps."), "42");
  EXPECT_EQ(extracted("#### $1,234\n7"), "1234");
  EXPECT_EQ(extracted("#### **42**\n7"), "42");
  EXPECT_EQ(extracted("#### x = 5\n7"), "7");
  EXPECT_EQ(marked_answer("#### Final Answer\n42"), std::nullopt);
}

TEST(ExtractAnswer, TheLineAfterTheMark) {
  EXPECT_EQ(extracted("12 + 3\n#### 15\n99 bottles"), "15");
  EXPECT_EQ(extracted("####-1,500"), "-1500");
  EXPECT_EQ(extracted("#### 1\n#### 2"), "2");
  EXPECT_EQ(extracted("one 1 ####"), "1");
}

TEST(ExtractAnswer, ElseTheLastNumber) {
  EXPECT_EQ(extracted("first 3, then 4."), "4");
  EXPECT_EQ(extracted("it costs $1,234.50."), "1234.50");
  EXPECT_EQ(extracted("numbers 1,2,3"), "3");
  EXPECT_EQ(extracted("not thousands: 1,2345"), "2345");
  EXPECT_EQ(extracted("1234,567"), "567");
  EXPECT_EQ(extracted("that is 10-3"), "3");
  EXPECT_EQ(extracted("that is -3"), "-3");
  EXPECT_EQ(extracted("-3"), "-3");
  EXPECT_EQ(extracted("half is .5"), ".5");
  EXPECT_EQ(extracted("a share of 3/4 of it"), "3/4");
  EXPECT_EQ(extracted("no number"), "(none)");
  EXPECT_EQ(extracted(""), "(none)");
}

TEST(GradedPart, WhatFollowsTheThinking) {
  EXPECT_EQ(graded_part("<think>\\boxed{1}</think>2"), "2");
  EXPECT_EQ(graded_part("1</think>2</think>3"), "2</think>3");
  EXPECT_EQ(graded_part("<think>cut off at 7"), "<think>cut off at 7");
  EXPECT_EQ(graded_part("all</think>"), "");
}

TEST(SameAnswer, ComparesValues) {
  for (const char* same : {"18", "18.0", "+18", "018", " 18 ", "36/2", "18.", "9/0.5", "-36/-2"}) {
    EXPECT_TRUE(same_answer(same, "18")) << same;
    EXPECT_TRUE(same_answer("18", same)) << same;
  }
  for (const char* other : {"-18", "1.8", "180", "18.0000000000000000000001", "18/0", "36/3", "",
                            "18 x", "1 8", "/18", "18/", "1/2/3", "."}) {
    EXPECT_FALSE(same_answer(other, "18")) << other;
  }
  EXPECT_TRUE(same_answer("-0", "0.00"));
  EXPECT_TRUE(same_answer("0/5", "0"));
  EXPECT_TRUE(same_answer("1/3", "2/6"));
  EXPECT_FALSE(same_answer("0.3333333333333333", "1/3"));
}

TEST(SameAnswer, IsExactBeyondFloatingPoint) {
  EXPECT_FALSE(same_answer("9007199254740993", "9007199254740992"));
  const std::string huge(5000, '7');
  EXPECT_TRUE(same_answer(huge + ".0", huge));
  EXPECT_FALSE(same_answer(huge + ".1", huge));
}

TEST(SameAnswer, OtherTextsByTheirCharacters) {
  EXPECT_TRUE(same_answer(" yes ", "yes"));
  EXPECT_FALSE(same_answer("yes", "no"));
  EXPECT_FALSE(same_answer("", "0"));
}

RC_GTEST_PROP(SameAnswer, FractionsAreCrossMultiplied, ()) {
  const auto a = *rc::gen::inRange<std::int64_t>(-9999, 9999);
  const auto b = *rc::gen::inRange<std::int64_t>(1, 9999);
  const auto c = *rc::gen::inRange<std::int64_t>(-9999, 9999);
  const auto d = *rc::gen::inRange<std::int64_t>(1, 9999);
  const auto k = *rc::gen::inRange<std::int64_t>(1, 99);
  const auto text = [](std::int64_t x, std::int64_t y) {
    return std::to_string(x) + "/" + std::to_string(y);
  };
  RC_ASSERT(same_answer(text(a, b), text(c, d)) == (a * d == c * b));
  RC_ASSERT(same_answer(text(a * k, b * k), text(a, b)));
}

RC_GTEST_PROP(ExtractAnswer, FindsWhatWasBoxedAmongOtherNumbers, ()) {
  const auto value = *rc::gen::arbitrary<std::int64_t>();
  const auto before = *rc::gen::arbitrary<std::int32_t>();
  const auto after = *rc::gen::arbitrary<std::int32_t>();
  const std::string text = std::to_string(before) + " so \\boxed{" + std::to_string(value) + "}. " +
                           std::to_string(after);
  RC_ASSERT(same_answer(extracted(text), std::to_string(value)));
}

RC_GTEST_PROP(ExtractAnswer, TakesAnyText, (const std::string& text)) {
  if (const auto answer = extract_answer(text)) RC_ASSERT(!answer->empty());
}

}  // namespace
}  // namespace laconic
