// SPDX-License-Identifier: Apache-2.0
#include "kv/schedule.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace laconic {
namespace {

KvOptions rpc_options(std::size_t interval, std::size_t window, double ratio) {
  KvOptions o;
  o.policy = KvPolicy::kRpc;
  o.interval = interval;
  o.window = window;
  o.ratio = ratio;
  return o;
}

struct Compression {
  std::size_t step, before, after;
  bool operator==(const Compression&) const = default;
};

// The published trigger, word for word: before the append of a step the residual
// x = L - n - j T - R is taken, and x = P - 1 compresses after it.
struct Simulation {
  std::vector<Compression> compressions;
  std::vector<std::size_t> rows;  // after each step; rows[0] is the prompt
  std::size_t peak = 0;
  double sum_attended = 0;

  Simulation(const KvOptions& o, std::size_t prompt, std::size_t tokens) : rows{prompt} {
    const auto per_round = static_cast<std::size_t>(static_cast<double>(o.interval) / o.ratio);
    std::size_t length = prompt, stayed = 0;
    peak = prompt;
    for (std::size_t step = 1; step <= tokens; ++step) {
      const bool due = length + 1 == prompt + stayed + o.window + o.interval;
      ++length;
      peak = std::max(peak, length);
      sum_attended += static_cast<double>(length);
      if (due) {
        stayed += per_round;
        if (o.cap > 0) stayed = std::min(stayed, o.cap);
        compressions.push_back({step, length, prompt + stayed + o.window});
        length = prompt + stayed + o.window;
      }
      rows.push_back(length);
    }
  }
};

std::vector<Compression> run(const KvOptions& o, std::size_t prompt, std::size_t tokens) {
  RatioSchedule schedule(o);
  schedule.begin(prompt);
  std::vector<Compression> compressions;
  std::size_t rows = prompt;
  for (std::size_t step = 1; step <= tokens; ++step) {
    ++rows;
    if (const auto keep = schedule.token_appended()) {
      const std::size_t after = (o.protect_prompt ? prompt : 0) + *keep + o.window;
      compressions.push_back({step, rows, after});
      rows = after;
      schedule.compressed();
    }
  }
  EXPECT_EQ(schedule.rounds(), compressions.size());
  EXPECT_EQ(schedule.generated(), tokens);
  return compressions;
}

TEST(RatioSchedule, PublishedTriggers) {
  const std::vector<Compression> often = run(rpc_options(1024, 32, 4), 128, 3104);
  EXPECT_EQ(often,
            (std::vector<Compression>{{1056, 1184, 416}, {2080, 1440, 672}, {3104, 1696, 928}}));
  const std::vector<Compression> seldom = run(rpc_options(4096, 32, 4), 128, 12320);
  EXPECT_EQ(seldom, (std::vector<Compression>{
                        {4128, 4256, 1184}, {8224, 5280, 2208}, {12320, 6304, 3232}}));
}

TEST(RatioSchedule, PublishedEndStates) {
  struct Row {
    std::size_t interval, tokens, rounds, final;
  };
  for (const Row& row :
       {Row{1024, 4095, 3, 1919}, Row{1024, 8191, 7, 2943}, Row{1024, 16383, 15, 4991},
        Row{1024, 32767, 31, 9087}, Row{4096, 4095, 0, 4223}, Row{4096, 8191, 1, 5247},
        Row{4096, 16383, 3, 7295}, Row{4096, 32767, 7, 11391}}) {
    const KvOptions o = rpc_options(row.interval, 32, 4);
    EXPECT_EQ(run(o, 128, row.tokens).size(), row.rounds);
    EXPECT_EQ(RatioSchedule::rows_after(o, 128, row.tokens), row.final);
    EXPECT_EQ(RatioSchedule::peak_rows(o, 128, row.tokens), row.final);
  }
}

TEST(RatioSchedule, RowsPerRoundRoundDownOnceOnly) {
  EXPECT_EQ(rows_per_round(4096, 4), 1024u);
  EXPECT_EQ(rows_per_round(4096, 2.5), 1638u);
  EXPECT_EQ(rows_per_round(8, 1.6), 5u);
  EXPECT_EQ(rows_per_round(33, 1.1), 30u) << "33 / 1.1 in binary is 29.999999999999996";
  EXPECT_EQ(rows_per_round(1024, 3), 341u);
  EXPECT_EQ(rows_per_round(7, 7), 1u);
  EXPECT_EQ(rows_per_round(2147483647, 1), 2147483647u);
  EXPECT_EQ(rows_per_round(2147483647, 1.0000001), 2147483432u);
}

TEST(RatioSchedule, FullNeverEvicts) {
  const KvOptions full;
  EXPECT_EQ(RatioSchedule::rows_after(full, 100, 9000), 9100u);
  EXPECT_EQ(RatioSchedule::peak_rows(full, 100, 9000), 9100u);
  EXPECT_DOUBLE_EQ(RatioSchedule::mean_rows(full, 100, 9000), 100 + 9001 / 2.0);
}

TEST(RatioSchedule, ASecondGenerationStartsAfresh) {
  const KvOptions o = rpc_options(8, 3, 2);
  RatioSchedule schedule(o);
  schedule.begin(5);
  for (int i = 0; i < 17; ++i) {
    if (schedule.token_appended()) schedule.compressed();
  }
  schedule.begin(21);
  EXPECT_EQ(schedule.generated(), 0u);
  EXPECT_EQ(schedule.rounds(), 0u);
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(schedule.token_appended());
  EXPECT_EQ(schedule.token_appended(), 4u);
}

RC_GTEST_PROP(RatioScheduleProperty, LawsEqualTheSimulation, ()) {
  const auto interval = *rc::gen::inRange<std::size_t>(1, 60);
  KvOptions o = rpc_options(interval, *rc::gen::inRange<std::size_t>(1, 40),
                            *rc::gen::inRange<int>(4, static_cast<int>(4 * interval) + 1) / 4.0);
  o.cap = *rc::gen::oneOf(rc::gen::just<std::size_t>(0), rc::gen::inRange<std::size_t>(1, 100));
  o.protect_prompt = *rc::gen::arbitrary<bool>();
  const auto prompt = *rc::gen::inRange<std::size_t>(0, 50);
  const auto tokens = *rc::gen::inRange<std::size_t>(0, 900);

  const Simulation expected(o, prompt, tokens);
  RC_ASSERT(run(o, prompt, tokens) == expected.compressions);
  RC_ASSERT(RatioSchedule::peak_rows(o, prompt, tokens) == expected.peak);
  for (std::size_t step = 0; step <= tokens; ++step) {
    RC_ASSERT(RatioSchedule::rows_after(o, prompt, step) == expected.rows[step]);
  }
  if (tokens > 0) {
    const double mean = expected.sum_attended / static_cast<double>(tokens);
    RC_ASSERT(std::abs(RatioSchedule::mean_rows(o, prompt, tokens) - mean) <= 1e-9 * mean);
  }
}

RC_GTEST_PROP(RatioScheduleProperty, WantsExactlyTheQueriesOfTheNextTrigger, ()) {
  KvOptions o =
      rpc_options(*rc::gen::inRange<std::size_t>(1, 30), *rc::gen::inRange<std::size_t>(1, 40), 1);
  o.selector = *rc::gen::element(KvSelector::kExact, KvSelector::kReference, KvSelector::kLast);
  const std::size_t asked = o.selector == KvSelector::kLast ? 1 : o.window;
  RatioSchedule schedule(o);
  schedule.begin(3);
  for (std::size_t step = 1; step < 300; ++step) {
    std::size_t trigger = o.window + o.interval;
    while (trigger < step) trigger += o.interval;
    RC_ASSERT(schedule.wants_query() == (step + asked > trigger));
    if (schedule.token_appended()) schedule.compressed();
  }
}

}  // namespace
}  // namespace laconic
