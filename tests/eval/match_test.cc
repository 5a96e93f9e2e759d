// SPDX-License-Identifier: Apache-2.0
// Ratios and budgets for equal memory: against every other setting, and against what arms hold.
#include "eval/match.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "eval/eval_testing.h"
#include "kv/schedule.h"

namespace laconic::test {
namespace {

KvOptions kv_of(const std::string& spec) { return arm_of(spec).session.kv; }

TEST(Match, RequestsAreRead) {
  const MatchRequest peak = parse_match("peak", "0.5,0.25");
  EXPECT_EQ(peak.what, MatchWhat::kPeak);
  EXPECT_EQ(peak.fractions, (std::vector<double>{0.5, 0.25}));
  EXPECT_EQ(parse_match("mean", "1").what, MatchWhat::kMean);
  expect_error(ErrorKind::kUsage, "--match 'half'", [] { parse_match("half", "0.5"); });
  for (const char* at : {"", "0", "-0.5", "1.5", "nan", "inf", "0.5,", "half", "0.5x", " 0.5"}) {
    expect_error(ErrorKind::kUsage, "above 0 and at most 1", [&] { parse_match("peak", at); });
  }
  expect_error(ErrorKind::kUsage, "given twice", [] { parse_match("peak", "0.5,0.50"); });
}

TEST(Match, RowsOfAnswersLeaveTheLastTokenOut) {
  std::vector<Sample> samples(3);
  samples[0].prompt_ids.resize(7);
  samples[0].ids.resize(11);
  samples[1].ids.resize(1);
  const auto rows = answer_rows(samples);
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[0].prompt, 7u);
  EXPECT_EQ(rows[0].generated, 10u);
  EXPECT_EQ(rows[1].generated, 0u);
  EXPECT_EQ(rows[2].generated, 0u);
}

TEST(Match, FractionsFollowTheLaws) {
  // 100 rows; compressed after 20, 36, ..., 100. The last burst begins with 5 * 4 + 4 + 16 rows.
  const std::vector<AnswerRows> one = {{10, 100}};
  const KvOptions rpc = kv_of("rpc:interval=16,window=4,ratio=4");
  EXPECT_DOUBLE_EQ(predicted_fraction(one, rpc, MatchWhat::kPeak), 0.4);
  EXPECT_DOUBLE_EQ(predicted_fraction(one, KvOptions{}, MatchWhat::kPeak), 1);
  EXPECT_DOUBLE_EQ(predicted_fraction(one, KvOptions{}, MatchWhat::kMean), 1);
  // Of several answers, long ones weigh more: 40 of 100 rows and 10 of 10.
  const std::vector<AnswerRows> two = {{10, 100}, {3, 10}};
  EXPECT_DOUBLE_EQ(predicted_fraction(two, rpc, MatchWhat::kPeak), 50.0 / 110);
}

TEST(Match, RatiosAreSimpleNumbers) {
  const std::vector<AnswerRows> answers = {{10, 100}};
  const KvOptions rpc = kv_of("rpc:interval=16,window=4");
  const MatchedOptions half = match_ratio(answers, rpc, MatchWhat::kPeak, 0.5);
  // 5 * 6 + 20 rows: 6 of 16 stay.
  EXPECT_DOUBLE_EQ(half.predicted, 0.5);
  EXPECT_DOUBLE_EQ(half.kv.ratio, 2.6);
  EXPECT_EQ(half.kv.interval, 16u);
  const MatchedOptions quarter = match_ratio(answers, rpc, MatchWhat::kPeak, 0.25);
  EXPECT_DOUBLE_EQ(quarter.predicted, 0.25);
  EXPECT_DOUBLE_EQ(quarter.kv.ratio, 16);
}

TEST(Match, OutOfReachIsRefusedWithBothNumbers) {
  const std::vector<AnswerRows> answers = {{10, 100}};
  const KvOptions rpc = kv_of("rpc:interval=16,window=4");
  expect_error(ErrorKind::kUsage, "at least 25.0 % of the full cache's generated rows at the peak",
               [&] { match_ratio(answers, rpc, MatchWhat::kPeak, 0.2); });
  expect_error(ErrorKind::kUsage, "but 20.0 % was asked for",
               [&] { match_ratio(answers, rpc, MatchWhat::kPeak, 0.2); });
  // A cap: 8 + 4 + 16 rows at most.
  expect_error(ErrorKind::kUsage, "at most 28.0 %", [&] {
    match_ratio(answers, kv_of("rpc:interval=16,window=4,cap=8"), MatchWhat::kPeak, 0.5);
  });
  // Answers that end before anything is compressed.
  expect_error(ErrorKind::kUsage, "at least 100.0 %", [&] {
    match_ratio(answers, kv_of("rpc:interval=512,window=4"), MatchWhat::kMean, 0.5);
  });
  expect_error(ErrorKind::kUsage, "neither ratio nor budget",
               [&] { match_ratio(answers, KvOptions{}, MatchWhat::kPeak, 0.5); });
  expect_error(ErrorKind::kUsage, "no generated row",
               [&] { match_ratio({}, rpc, MatchWhat::kPeak, 0.5); });
}

TEST(Match, BudgetsHoldTheLongestPrompt) {
  const std::vector<AnswerRows> answers = {{40, 100}, {90, 300}};
  const KvOptions budget = kv_of("rpc:interval=16,window=4,budget=300");
  const MatchedOptions matched = match_ratio(answers, budget, MatchWhat::kPeak, 0.5);
  EXPECT_TRUE(matched.kv.by_budget());
  EXPECT_NEAR(matched.predicted, 0.5, 0.01);
  EXPECT_NO_THROW(require_budget(matched.kv, 90));
  // The budget is at least the longest prompt, so the shorter one's answer keeps 50 rows and more.
  expect_error(ErrorKind::kUsage, "need not hold the longest prompt",
               [&] { match_ratio(answers, budget, MatchWhat::kMean, 0.05); });
  const KvOptions free = kv_of("rpc:interval=16,window=4,budget=300,protect-prompt=false");
  EXPECT_NEAR(match_ratio(answers, free, MatchWhat::kMean, 0.05).predicted, 0.05, 0.01);
}

std::vector<AnswerRows> some_answers() {
  std::vector<AnswerRows> answers;
  for (int i = *rc::gen::inRange(1, 5); i > 0; --i) {
    answers.push_back(
        {*rc::gen::inRange<std::size_t>(1, 40), *rc::gen::inRange<std::size_t>(1, 300)});
  }
  return answers;
}

// How far the best of the settings is from what was asked, by trying all of them.
struct BestOfAll {
  double distance = std::numeric_limits<double>::infinity(), least = distance, most = -distance;
  void see(double fraction, double asked) {
    distance = std::min(distance, std::abs(fraction - asked));
    least = std::min(least, fraction);
    most = std::max(most, fraction);
  }
};

// PRECONDITION: `best` has seen all settings.
void check_choice(const std::vector<AnswerRows>& answers, const KvOptions& options, MatchWhat what,
                  double asked, const BestOfAll& best) {
  try {
    const MatchedOptions matched = match_ratio(answers, options, what, asked);
    matched.kv.validate();
    RC_ASSERT(matched.predicted == predicted_fraction(answers, matched.kv, what));
    RC_ASSERT(std::abs(std::abs(matched.predicted - asked) - best.distance) < 1e-12);
  } catch (const Error& error) {
    RC_ASSERT(error.kind() == ErrorKind::kUsage);
    RC_ASSERT(asked < best.least || asked > best.most);
  }
}

RC_GTEST_PROP(MatchLaws, NoOtherRatioComesCloser, ()) {
  const auto answers = some_answers();
  const auto what = *rc::gen::element(MatchWhat::kPeak, MatchWhat::kMean);
  const double asked = *rc::gen::inRange(1, 101) / 100.0;
  KvOptions options = KvOptions::of(KvPolicy::kRpc);
  options.interval = *rc::gen::inRange<std::size_t>(1, 40);
  options.window = *rc::gen::inRange<std::size_t>(1, 12);
  options.cap = *rc::gen::inRange<std::size_t>(0, 40);
  options.ratio = 1;
  BestOfAll best;
  for (std::size_t rows = 1; rows <= options.interval; ++rows) {
    KvOptions one = options;
    one.ratio = static_cast<double>(options.interval) / static_cast<double>(rows);
    RC_ASSERT(rows_per_round(one.interval, one.ratio) == rows);
    best.see(predicted_fraction(answers, one, what), asked);
  }
  check_choice(answers, options, what, asked, best);
}

RC_GTEST_PROP(MatchLaws, NoOtherBudgetComesCloser, ()) {
  const auto answers = some_answers();
  const auto what = *rc::gen::element(MatchWhat::kPeak, MatchWhat::kMean);
  const double asked = *rc::gen::inRange(1, 101) / 100.0;
  KvOptions options = KvOptions::of(KvPolicy::kRpc);
  options.interval = *rc::gen::inRange<std::size_t>(1, 40);
  options.window = *rc::gen::inRange<std::size_t>(1, 12);
  options.protect_prompt = *rc::gen::arbitrary<bool>();
  BestOfAll best;
  std::size_t longest_prompt = 0;
  for (const AnswerRows& answer : answers) longest_prompt = std::max(longest_prompt, answer.prompt);
  for (std::size_t budget = 1; budget < 400; ++budget) {
    options.budget = budget;
    try {
      options.validate();
      require_budget(options, longest_prompt);
    } catch (const Error&) {
      continue;
    }
    best.see(predicted_fraction(answers, options, what), asked);
  }
  check_choice(answers, options, what, asked, best);
}

std::vector<Sample> answers_of_length(std::size_t count, std::size_t prompt, std::size_t tokens) {
  std::vector<Sample> samples(count);
  for (Sample& sample : samples) {
    sample.prompt_ids.resize(prompt);
    sample.ids.resize(tokens);
  }
  return samples;
}

TEST(MatchArms, AreNamedByWhatWasChosen) {
  const std::vector<ArmOptions> arms = {arm_of("full"), arm_of("rpc:interval=16,window=4"),
                                        arm_of("random:budget=50,interval=16,window=4")};
  const auto full = answers_of_length(2, 10, 101);
  const auto matched = match_arms(arms, full, parse_match("peak", "0.5,0.3"));
  ASSERT_EQ(matched.size(), 4u);
  EXPECT_EQ(matched[0].arm.name, "rpc:interval=16,window=4,ratio=2.6");
  EXPECT_EQ(matched[0].asked, 0.5);
  EXPECT_DOUBLE_EQ(matched[0].predicted, 0.5);
  EXPECT_EQ(matched[1].asked, 0.3);
  EXPECT_THAT(matched[2].arm.name, ::testing::StartsWith("random:interval=16,window=4,budget="));
  for (const MatchedArm& arm : matched) {
    const KvOptions named = kv_of(arm.arm.name);
    EXPECT_EQ(named.to_map(), arm.arm.session.kv.to_map()) << arm.arm.name;
    EXPECT_EQ(arm.arm.generate.max_tokens, arms[1].generate.max_tokens);
  }
}

TEST(MatchArms, WhatCannotBeMatchedIsRefused) {
  const auto full = answers_of_length(2, 10, 101);
  const auto refused = [&](const std::string& spec, const std::string& at,
                           const std::string& part) {
    const std::vector<ArmOptions> arms = {arm_of(spec)};
    expect_error(ErrorKind::kUsage, part, [&] { match_arms(arms, full, parse_match("peak", at)); });
  };
  refused("rpc:interval=16,window=4,ratio=4", "0.5", "leave ratio=4 out of rpc:");
  refused("rpc:interval=16,window=4", "0.01", "--match peak, rpc:interval=16,window=4: it holds");
  refused("rpc:interval=16,window=4", "0.5,0.501", "--at 0.5 and 0.501 both come to rpc:");
  std::vector<ArmOptions> heads = {arm_of("rpc:interval=16,window=4")};
  heads[0].session.kv.heads = "random:1";
  expect_error(ErrorKind::kUsage, "heads differ",
               [&] { match_arms(heads, full, parse_match("peak", "0.5")); });
  EXPECT_TRUE(is_full_cache(kv_of("full")));
  EXPECT_FALSE(is_full_cache(heads[0].session.kv));
}

TEST(MatchArms, WhatNeedsNoAnswerIsRefusedWithoutOne) {
  const auto check = [](const std::vector<std::string>& names) {
    check_match(parse_arms(names, "f32"));
  };
  const auto refused = [&](const std::vector<std::string>& names, const std::string& part) {
    expect_error(ErrorKind::kUsage, part, [&] { check(names); });
  };
  refused({"full", "rpc:interval=16,window=4,ratio=2"}, "leave ratio=2 out of rpc:");
  refused({"full", "rpc:interval=16,window=4,heads=random:1,sparsity=0.5"}, "heads differ");
  refused({"full:heads=random:1,sparsity=0.5"}, "heads differ");
  refused({"full"}, "no arm has one");
  refused({"full", "full:type=f16"}, "no arm has one");
  refused({"rpc:budget=50,interval=16,window=4", "rpc:interval=16,window=4,budget=60"},
          "rpc:budget=50,interval=16,window=4 and rpc:interval=16,window=4,budget=60 differ in "
          "nothing else");
  EXPECT_NO_THROW(check({"rpc:interval=16,window=4", "rpc:interval=16,window=4,budget=60",
                         "rpc:interval=16,window=8,budget=60", "random:interval=16,budget=50"}));
}

// Answers of equal length hold exactly what the law says.
TEST(MatchArms, ObtainedIsWhatTheArmsHeld) {
  std::vector<ArmOptions> arms;
  for (const char* spec : {"full", "rpc:interval=16,window=4", "recency:interval=16,budget=200"}) {
    arms.push_back(arm_of(spec, 120));
    arms.back().generate.ignore_eos = true;
    arms.back().generate.stop_on_loop = false;
  }
  const auto task = some_problems(3);
  const ModelInfo& info = tiny_model().info();
  const auto full = evaluate(tiny_model(), {task, 0, {arms.data(), 1}}, nullptr).front().samples;
  for (const char* what : {"peak", "mean"}) {
    const auto matched = match_arms(arms, full, parse_match(what, "0.6"));
    ASSERT_EQ(matched.size(), 2u);
    for (const MatchedArm& one : matched) {
      const auto held = evaluate(tiny_model(), {task, 0, {&one.arm, 1}}, nullptr).front().samples;
      const ObtainedFractions obtained =
          obtained_fractions(info, KvType::kF32, held, KvType::kF32, full);
      const double same = *what == 'p' ? obtained.peak : obtained.mean;
      EXPECT_NEAR(same, one.predicted, 1e-9) << what << " " << one.arm.name;
      EXPECT_NEAR(one.predicted, 0.6, 0.06) << what << " " << one.arm.name;
    }
  }
  const ObtainedFractions itself = obtained_fractions(info, KvType::kF32, full, KvType::kF32, full);
  EXPECT_DOUBLE_EQ(itself.peak, 1);
  EXPECT_DOUBLE_EQ(itself.mean, 1);
}

TEST(MatchArms, TableAndJson) {
  const std::vector<MatchResult> results = {{"rpc:ratio=2.6", 0.5, 0.504, {0.511, 0.62}}};
  EXPECT_EQ(match_table(results, MatchWhat::kPeak),
            "| arm           | asked peak | by the law | obtained peak | obtained mean |\n"
            "|---------------|-----------:|-----------:|--------------:|--------------:|\n"
            "| rpc:ratio=2.6 |     50.0 % |     50.4 % |        51.1 % |        62.0 % |\n");
  const Json json = match_json(results, MatchWhat::kMean);
  EXPECT_EQ(json["what"], "mean");
  EXPECT_EQ(json["arms"][0]["name"], "rpc:ratio=2.6");
  EXPECT_EQ(json["arms"][0]["predicted"], 0.504);
  EXPECT_EQ(json["arms"][0]["mean"], 0.62);
}

}  // namespace
}  // namespace laconic::test
