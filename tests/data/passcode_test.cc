// SPDX-License-Identifier: Apache-2.0
// Passcode problems of a chosen length: sound as the others, and of that length.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <set>
#include <string>

#include "base/error.h"
#include "data/problem.h"
#include "data/problem_solver.h"
#include "data/problem_trace.h"

namespace laconic {
namespace {

RC_GTEST_PROP(PasscodeLaws, AnyLengthIsSound, ()) {
  PasscodeOptions options;
  options.seed = *rc::gen::arbitrary<std::uint64_t>();
  options.split = *rc::gen::element(ProblemSplit::kTrain, ProblemSplit::kTest);
  options.steps = *rc::gen::inRange<std::size_t>(1, 600);
  options.worked_out = *rc::gen::arbitrary<bool>();
  const auto index = *rc::gen::arbitrary<std::uint64_t>();
  const PasscodeProblem made = make_passcode(options, index);
  const Problem& problem = made.problem;
  RC_ASSERT(problem.family == ProblemFamily::kPasscode);
  RC_ASSERT(test::solve(problem.question) == problem.answer);
  RC_ASSERT(test::reasoning_fault(problem) == "");
  const test::PasscodeStory story = test::read_passcode(problem.question);
  RC_ASSERT(story.steps.size() == options.steps);
  RC_ASSERT("the " + story.asked == made.code);
  RC_ASSERT(!story.with_counter);
  RC_ASSERT(story.codes.at(story.asked).sum.empty() == !options.worked_out);
  // Neither the counter nor the label of a step is a code.
  for (const auto& [name, code] : story.codes) {
    RC_ASSERT(code.value > static_cast<std::int64_t>(options.steps));
    for (const auto& step : story.steps) RC_ASSERT(step.after != code.value);
  }
  RC_ASSERT(problem_line(make_passcode(options, index).problem) == problem_line(problem));
}

TEST(Passcode, NamesTellProblemsApart) {
  std::set<std::string> ids, questions;
  for (const std::size_t steps : {3u, 4u}) {
    for (const bool worked_out : {false, true}) {
      for (std::uint64_t index = 0; index < 50; ++index) {
        const PasscodeProblem made =
            make_passcode({7, ProblemSplit::kTest, steps, worked_out}, index);
        ids.insert(made.problem.id);
        questions.insert(made.problem.question);
      }
    }
  }
  EXPECT_EQ(ids.size(), 200u);
  EXPECT_EQ(questions.size(), 200u);
  EXPECT_EQ(ids.count("passcode-test-7-stated-3-0"), 1u);
  EXPECT_EQ(ids.count("passcode-test-7-worked-4-49"), 1u);
}

TEST(Passcode, LengthsOutsideTheRangeAreRefused) {
  for (const std::size_t steps : {std::size_t{0}, kMostPasscodeSteps + 1}) {
    try {
      make_passcode({1, ProblemSplit::kTest, steps, false}, 0);
      ADD_FAILURE() << "accepted: " << steps;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kUsage);
      EXPECT_THAT(error.what(), ::testing::HasSubstr("1 to 10000"));
    }
  }
}

}  // namespace
}  // namespace laconic
