// SPDX-License-Identifier: Apache-2.0
#include "kv/schedule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include "kv_support.h"
#include "laconic/error.h"

namespace laconic {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

KvOptions rpc_options(std::size_t interval, std::size_t window, double ratio) {
  KvOptions o;
  o.policy = KvPolicy::kRpc;
  o.interval = interval;
  o.window = window;
  o.ratio = ratio;
  return o;
}

KvOptions budget_options(std::size_t interval, std::size_t budget) {
  KvOptions o = KvOptions::of(KvPolicy::kTova);
  o.interval = interval;
  o.budget = budget;
  return o;
}

struct Compression {
  std::size_t step, before, after;
  bool operator==(const Compression&) const = default;
};
using Compressions = std::vector<Compression>;

// Token by token, as the laws are worded. By ratio the published trigger: before the append of a
// step the residual x = L - n - j T - R is taken, and x = P - 1 compresses after it. By budget:
// every P tokens, what is more than B becomes B; so does a prompt at its end that may be taken.
struct Simulation {
  Compressions compressions;
  std::vector<std::size_t> rows;  // after each step; rows[0] when the first token is generated
  std::size_t peak = 0;
  double sum_attended = 0;

  Simulation(const KvOptions& o, std::size_t prompt, std::size_t tokens) : peak(prompt) {
    const auto per_round = static_cast<std::size_t>(static_cast<double>(o.interval) / o.ratio);
    const bool by_budget = o.budget > 0, full = o.policy == KvPolicy::kFull;
    const bool prompt_only = o.policy == KvPolicy::kSnapKv && o.phase == KvPhase::kPrompt;
    std::size_t length = prompt, stayed = 0;
    if (!full && by_budget && !o.protect_prompt && prompt > o.budget) {
      compressions.push_back({0, prompt, o.budget});
      length = o.budget;
    }
    rows.push_back(length);
    for (std::size_t step = 1; step <= tokens; ++step) {
      const bool ratio_due = length + 1 == prompt + stayed + o.window + o.interval;
      ++length;
      const bool budget_due = step % o.interval == 0 && length > o.budget;
      peak = std::max(peak, length);
      sum_attended += static_cast<double>(length);
      if (!full && !prompt_only && (by_budget ? budget_due : ratio_due)) {
        stayed += per_round;
        if (o.cap > 0) stayed = std::min(stayed, o.cap);
        const std::size_t after = by_budget ? o.budget : prompt + stayed + o.window;
        compressions.push_back({step, length, after});
        length = after;
      }
      rows.push_back(length);
    }
  }
};

Compressions run(const KvOptions& o, std::size_t prompt, std::size_t tokens) {
  Schedule schedule(o);
  Compressions compressions;
  std::size_t rows = prompt;
  const auto compress = [&](std::size_t step, std::optional<std::size_t> stay) {
    if (!stay) return;
    compressions.push_back({step, rows, *stay});
    rows = *stay;
    schedule.compressed();
  };
  compress(0, schedule.begin(prompt));
  for (std::size_t step = 1; step <= tokens; ++step)
    compress(step, schedule.token_appended(++rows));
  EXPECT_EQ(schedule.rounds(), compressions.size());
  EXPECT_EQ(schedule.generated(), tokens);
  EXPECT_EQ(schedule.prompt_rows(), prompt);
  return compressions;
}

TEST(Schedule, PublishedTriggers) {
  const Compressions often = run(rpc_options(1024, 32, 4), 128, 3104);
  EXPECT_EQ(often, (Compressions{{1056, 1184, 416}, {2080, 1440, 672}, {3104, 1696, 928}}));
  const Compressions seldom = run(rpc_options(4096, 32, 4), 128, 12320);
  EXPECT_EQ(seldom, (Compressions{{4128, 4256, 1184}, {8224, 5280, 2208}, {12320, 6304, 3232}}));
}

TEST(Schedule, PublishedEndStates) {
  struct Row {
    std::size_t interval, tokens, rounds, final;
  };
  for (const Row& row :
       {Row{1024, 4095, 3, 1919}, Row{1024, 8191, 7, 2943}, Row{1024, 16383, 15, 4991},
        Row{1024, 32767, 31, 9087}, Row{4096, 4095, 0, 4223}, Row{4096, 8191, 1, 5247},
        Row{4096, 16383, 3, 7295}, Row{4096, 32767, 7, 11391}}) {
    const KvOptions o = rpc_options(row.interval, 32, 4);
    EXPECT_EQ(run(o, 128, row.tokens).size(), row.rounds);
    EXPECT_EQ(Schedule::rows_after(o, 128, row.tokens), row.final);
    EXPECT_EQ(Schedule::peak_rows(o, 128, row.tokens), row.final);
  }
}

TEST(Schedule, RowsPerRoundRoundDownOnceOnly) {
  EXPECT_EQ(rows_per_round(4096, 4), 1024u);
  EXPECT_EQ(rows_per_round(4096, 2.5), 1638u);
  EXPECT_EQ(rows_per_round(8, 1.6), 5u);
  EXPECT_EQ(rows_per_round(33, 1.1), 30u) << "33 / 1.1 in binary is 29.999999999999996";
  EXPECT_EQ(rows_per_round(1024, 3), 341u);
  EXPECT_EQ(rows_per_round(7, 7), 1u);
  EXPECT_EQ(rows_per_round(2147483647, 1), 2147483647u);
  EXPECT_EQ(rows_per_round(2147483647, 1.0000001), 2147483432u);
}

TEST(Schedule, FullNeverEvicts) {
  const KvOptions full;
  EXPECT_EQ(Schedule::rows_after(full, 100, 9000), 9100u);
  EXPECT_EQ(Schedule::peak_rows(full, 100, 9000), 9100u);
  EXPECT_DOUBLE_EQ(Schedule::mean_rows(full, 100, 9000), 100 + 9001 / 2.0);
  EXPECT_EQ(Schedule::mean_rows(full, 100, 0), 100.0);
}

TEST(Schedule, ABudgetIsReachedAtTheNextInterval) {
  KvOptions o = budget_options(10, 25);
  // 4 + 20 rows are held after 20 tokens, so that the first eviction comes after 30.
  EXPECT_EQ(run(o, 4, 55), (Compressions{{30, 34, 25}, {40, 35, 25}, {50, 35, 25}}));
  // A prompt that is kept and fills the budget leaves no room.
  EXPECT_EQ(run(o, 25, 20), (Compressions{{10, 35, 25}, {20, 35, 25}}));
  o.protect_prompt = false;
  EXPECT_EQ(run(o, 25, 9), Compressions{});
  EXPECT_EQ(run(o, 70, 10), (Compressions{{0, 70, 25}, {10, 35, 25}}));
  EXPECT_EQ(Schedule::rows_after(o, 70, 0), 25u);
  EXPECT_EQ(Schedule::peak_rows(o, 70, 1000), 70u) << "the prompt is read whole";
  EXPECT_EQ(Schedule::mean_rows(o, 70, 0), 25.0);
  EXPECT_EQ(Schedule::mean_rows(o, 70, 2), 26.5);
}

// The form in which h2o and tova are published.
TEST(Schedule, EveryTokenByBudget) {
  const KvOptions o = budget_options(1, 6);
  EXPECT_EQ(run(o, 3, 6), (Compressions{{4, 7, 6}, {5, 7, 6}, {6, 7, 6}}));
  EXPECT_EQ(Schedule::peak_rows(o, 3, 900), 7u);
}

TEST(Schedule, APromptPhaseLeavesTheAnswerAlone) {
  KvOptions o = KvOptions::of(KvPolicy::kSnapKv);
  o.phase = KvPhase::kPrompt;
  o.budget = 32;
  o.protect_prompt = false;
  o.interval = 4;
  EXPECT_EQ(run(o, 100, 50), (Compressions{{0, 100, 32}}));
  EXPECT_EQ(run(o, 32, 50), Compressions{});
  EXPECT_EQ(Schedule::rows_after(o, 100, 50), 82u);
  Schedule schedule(o);
  schedule.begin(100);
  schedule.compressed();
  EXPECT_FALSE(schedule.wants_query(8));
  o.policy = KvPolicy::kTova;
  EXPECT_GT(run(o, 100, 50).size(), 1u) << "the phase is an option of snapkv";
}

TEST(Schedule, WhatStaysIsNeverMoreThanWhatIsHeld) {
  const KvOptions by_ratio = rpc_options(8, 3, 2);
  EXPECT_EQ(rows_that_stay(by_ratio, 5, 0, 16), 5u + 4 + 3);
  EXPECT_EQ(rows_that_stay(by_ratio, 5, 2, 30), 5u + 12 + 3);
  EXPECT_EQ(rows_that_stay(by_ratio, 5, 2, 7), 7u);
  const KvOptions by_budget = budget_options(8, 20);
  EXPECT_EQ(rows_that_stay(by_budget, 5, 9, 30), 20u);
  EXPECT_EQ(rows_that_stay(by_budget, 5, 9, 7), 7u);
}

TEST(Schedule, PromptAndSinksAreProtected) {
  KvOptions o = budget_options(8, 20);
  EXPECT_EQ(protected_rows(o, 9), 9u);
  o.sink = 12;
  EXPECT_EQ(protected_rows(o, 9), 12u);
  EXPECT_EQ(protected_rows(o, 13), 13u);
  o.protect_prompt = false;
  EXPECT_EQ(protected_rows(o, 13), 12u);
  o.sink = 0;
  EXPECT_EQ(protected_rows(o, 13), 0u);
}

TEST(Schedule, ABudgetMustHoldAPromptThatItKeeps) {
  KvOptions o = budget_options(8, 64);
  o.window = 4;
  EXPECT_NO_THROW(require_budget(o, 60));
  try {
    require_budget(o, 61);
    ADD_FAILURE() << "61 and 4 rows fit in 64";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kUsage);
    EXPECT_THAT(error.what(), AllOf(HasSubstr("--kv-budget 64"), HasSubstr("61 rows"),
                                    HasSubstr("4 newest"), HasSubstr("at least 65")));
  }
  o.protect_prompt = false;
  EXPECT_NO_THROW(require_budget(o, 6100));
  o.protect_prompt = true;
  o.budget = 0;
  EXPECT_NO_THROW(require_budget(o, 6100)) << "by ratio nothing is too long";
  o = KvOptions::of(KvPolicy::kH2o);
  o.budget = 64;
  o.recent = 10;
  EXPECT_NO_THROW(require_budget(o, 54));
  EXPECT_THROW(require_budget(o, 55), Error);
  o.window = 8;
  EXPECT_NO_THROW(require_budget(o, 54)) << "the window is among the recent rows";
  EXPECT_NO_THROW(require_budget(KvOptions{}, 6100));
}

// By ratio a prompt shorter than the sinks leaves them less than they need.
TEST(Schedule, WhatTheFirstCompressionLeavesMustHoldTheSinks) {
  KvOptions o = KvOptions::of(KvPolicy::kStreaming);
  o.interval = 20;
  o.ratio = 2;
  o.window = 4;
  o.sink = 30;
  for (const bool protect : {true, false}) {
    o.protect_prompt = protect;
    try {
      require_budget(o, 19);
      ADD_FAILURE() << "30 sinks and 4 rows fit in 19 + 10 + 4";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kUsage);
      EXPECT_THAT(error.what(), AllOf(HasSubstr("--kv-sink 30"), HasSubstr("prompt of 19 rows"),
                                      HasSubstr("33 rows"), HasSubstr("at most 29")));
    }
    EXPECT_NO_THROW(require_budget(o, 20));
    EXPECT_NO_THROW(require_budget(o, 2000));
    o.cap = 5;
    EXPECT_THROW(require_budget(o, 24), Error);
    EXPECT_NO_THROW(require_budget(o, 25));
    o.cap = 0;
  }
}

// The same for h2o's newest rows where an open prompt must make room for them.
TEST(Schedule, WhatTheFirstCompressionLeavesMustHoldTheRecentRows) {
  KvOptions o = KvOptions::of(KvPolicy::kH2o);
  o.interval = 64;
  o.window = 8;
  o.recent = 40;
  o.sink = 2;
  o.protect_prompt = false;
  EXPECT_NO_THROW(require_budget(o, 18));
  try {
    require_budget(o, 17);
    ADD_FAILURE() << "2 sinks and 40 rows fit in 17 + 16 + 8";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("--kv-recent 40"), HasSubstr("prompt of 17 rows"),
                                    HasSubstr("41 rows"), HasSubstr("at most 39")));
  }
}

TEST(Schedule, ASecondGenerationStartsAfresh) {
  const KvOptions o = rpc_options(8, 3, 2);
  Schedule schedule(o);
  EXPECT_FALSE(schedule.begin(5));
  std::size_t rows = 5;
  for (int i = 0; i < 17; ++i) {
    if (const auto stay = schedule.token_appended(++rows)) {
      rows = *stay;
      schedule.compressed();
    }
  }
  EXPECT_EQ(schedule.rounds(), 1u);
  schedule.begin(21);
  EXPECT_EQ(schedule.generated(), 0u);
  EXPECT_EQ(schedule.rounds(), 0u);
  for (std::size_t i = 1; i <= 10; ++i) EXPECT_FALSE(schedule.token_appended(21 + i));
  EXPECT_EQ(schedule.token_appended(32), 21u + 4 + 3);
}

// Any policy under any of its schedules.
KvOptions random_schedule() {
  KvOptions o = KvOptions::of(*rc::gen::element(
      KvPolicy::kFull, KvPolicy::kRpc, KvPolicy::kRandom, KvPolicy::kStreaming, KvPolicy::kRecency,
      KvPolicy::kKnorm, KvPolicy::kH2o, KvPolicy::kTova, KvPolicy::kSnapKv, KvPolicy::kRkv));
  if (!o.evicts()) return o;
  o.interval = *rc::gen::inRange<std::size_t>(1, 60);
  o.window = *rc::gen::inRange<std::size_t>(o.window == 0 ? 0 : 1, 40);
  o.protect_prompt = *rc::gen::arbitrary<bool>();
  if (*rc::gen::arbitrary<bool>()) {
    o.budget = o.sink + o.window + *rc::gen::inRange<std::size_t>(1, 120);
    if (o.policy == KvPolicy::kSnapKv && !o.protect_prompt) {
      o.phase = *rc::gen::element(KvPhase::kAll, KvPhase::kPrompt);
    }
  } else {
    o.ratio = *rc::gen::inRange<int>(4, static_cast<int>(4 * o.interval) + 1) / 4.0;
    o.cap = *rc::gen::oneOf(rc::gen::just<std::size_t>(0), rc::gen::inRange<std::size_t>(1, 100));
  }
  o.validate();
  return o;
}

// One that the budget can hold, and whose first compression can hold the sinks.
std::size_t random_prompt(const KvOptions& o) {
  const bool bounded = o.by_budget() && o.protect_prompt;
  return *rc::gen::inRange(test::shortest_prompt(o), bounded ? o.budget - o.window + 1 : 200);
}

RC_GTEST_PROP(ScheduleProperty, LawsEqualTheSimulation, ()) {
  const KvOptions o = random_schedule();
  const std::size_t prompt = random_prompt(o);
  require_budget(o, prompt);
  const auto tokens = *rc::gen::inRange<std::size_t>(0, 900);

  const Simulation expected(o, prompt, tokens);
  if (o.evicts()) RC_ASSERT(run(o, prompt, tokens) == expected.compressions);
  RC_ASSERT(Schedule::peak_rows(o, prompt, tokens) == expected.peak);
  for (std::size_t step = 0; step <= tokens; ++step) {
    RC_ASSERT(Schedule::rows_after(o, prompt, step) == expected.rows[step]);
  }
  if (tokens > 0) {
    const double mean = expected.sum_attended / static_cast<double>(tokens);
    RC_ASSERT(std::abs(Schedule::mean_rows(o, prompt, tokens) - mean) <= 1e-9 * mean);
  }
}

// What makes comparisons fair: no policy, and no protection, changes how many rows are held.
RC_GTEST_PROP(ScheduleProperty, AllPoliciesHoldEquallyManyRows, ()) {
  const KvOptions o = random_schedule();
  RC_PRE(o.evicts() && o.phase == KvPhase::kAll);
  const std::size_t prompt = random_prompt(o);
  const auto tokens = *rc::gen::inRange<std::size_t>(0, 500);
  for (const KvPolicy policy :
       {KvPolicy::kRpc, KvPolicy::kRandom, KvPolicy::kStreaming, KvPolicy::kRecency,
        KvPolicy::kKnorm, KvPolicy::kH2o, KvPolicy::kTova, KvPolicy::kSnapKv, KvPolicy::kRkv}) {
    KvOptions other = KvOptions::of(policy);
    other.interval = o.interval;
    other.window = o.window;
    other.ratio = o.ratio;
    other.cap = o.cap;
    other.budget = o.budget;
    other.protect_prompt = o.protect_prompt;
    RC_ASSERT(Schedule::rows_after(other, prompt, tokens) ==
              Schedule::rows_after(o, prompt, tokens));
    other.protect_prompt = !o.protect_prompt;
    if (o.by_budget() && prompt > o.budget) continue;
    RC_ASSERT(Schedule::rows_after(other, prompt, tokens) ==
              Schedule::rows_after(o, prompt, tokens));
  }
}

RC_GTEST_PROP(ScheduleProperty, WantsExactlyTheQueriesOfTheNextTrigger, ()) {
  const KvOptions o = random_schedule();
  RC_PRE(o.evicts());
  const std::size_t prompt = random_prompt(o);
  const auto asked = *rc::gen::inRange<std::size_t>(0, 40);
  constexpr std::size_t kTokens = 300;
  // Long enough that the trigger after the last token is among them.
  const Simulation expected(o, prompt, kTokens + 400);
  Schedule schedule(o);
  std::size_t rows = prompt;
  if (const auto stay = schedule.begin(prompt)) {
    rows = *stay;
    schedule.compressed();
  }
  for (std::size_t step = 1; step < kTokens; ++step) {
    const auto next = std::find_if(expected.compressions.begin(), expected.compressions.end(),
                                   [&](const Compression& c) { return c.step >= step; });
    const bool wanted = next != expected.compressions.end() && step + asked > next->step;
    RC_ASSERT(schedule.wants_query(asked) == wanted);
    if (const auto stay = schedule.token_appended(++rows)) {
      rows = *stay;
      schedule.compressed();
    }
  }
}

}  // namespace
}  // namespace laconic
