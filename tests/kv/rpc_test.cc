// SPDX-License-Identifier: Apache-2.0
// RPC's ranking on cases small enough to check by hand, and on one random case whose result an
// independent float64 program computed.
#include "kv/rpc.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "kv/replay.h"
#include "kv/scores.h"
#include "kv_support.h"

namespace laconic {
namespace {

using ::testing::ElementsAre;
using ::testing::FloatNear;
using ::testing::Pointwise;

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

KvOptions small_rpc(std::size_t interval, std::size_t window, double ratio, std::size_t kernel) {
  KvOptions o;
  o.policy = KvPolicy::kRpc;
  o.interval = interval;
  o.window = window;
  o.ratio = ratio;
  o.kernel = kernel;
  return o;
}

// Prompt rows 0..2, candidates 3..6, window 7..8; two query heads ask the same +1, then -1.
// Weights for +1: [2 4 10 1] / 17; for -1: [10 5 2 20] / 37.
class FirstTrigger : public ::testing::Test {
 protected:
  static float log(double x) { return static_cast<float>(std::log(x)); }
  const std::vector<float> keys_ = {0, 0, log(100), log(1), log(2), log(5), log(0.5), 0, 0};
  const std::vector<float> queries_ = {1, -1, 1, -1};
  KvOptions options_ = small_rpc(4, 2, 4, 1);

  ReplayResult replay() const {
    return replay_policy({keys_, queries_, 1, 9, 1, 2, 2, 3, 0}, options_);
  }
  // The means over the two queries.
  std::vector<double> means() const {
    const ReplayResult result = replay();
    std::vector<double> out;
    for (float sum : result.scores.at(0)) out.push_back(sum / 2.0);
    return out;
  }
};

TEST_F(FirstTrigger, ExactWindow) {
  EXPECT_THAT(means(), Pointwise(::testing::DoubleNear(1e-6),
                                 {0.1939586645, 0.1852146264, 0.3211446741, 0.2996820350}));
  EXPECT_THAT(replay().kept, ElementsAre(ElementsAre(0, 1, 2, 5, 7, 8)));
  EXPECT_EQ(replay().candidate_start, 3u);
}

TEST_F(FirstTrigger, PublishedCodeAsksTheNewestTwice) {
  options_.selector = KvSelector::kReference;
  EXPECT_THAT(means(), Pointwise(::testing::DoubleNear(1e-6),
                                 {0.2702702703, 0.1351351351, 0.0540540541, 0.5405405405}));
  EXPECT_THAT(replay().kept, ElementsAre(ElementsAre(0, 1, 2, 6, 7, 8)));
}

TEST_F(FirstTrigger, FullSoftmaxSeesPromptAndOwnRow) {
  options_.softmax = KvSoftmax::kFull;
  EXPECT_THAT(means(), Pointwise(::testing::DoubleNear(1e-6),
                                 {0.0693351480, 0.0413940314, 0.0353916933, 0.1319438386}));
  EXPECT_THAT(replay().kept, ElementsAre(ElementsAre(0, 1, 2, 6, 7, 8)));
}

TEST_F(FirstTrigger, LastAsksTheCurrentQueryAlone) {
  options_.selector = KvSelector::kLast;
  EXPECT_THAT(replay().scores.at(0),
              Pointwise(FloatNear(1e-6f), {10 / 37.f, 5 / 37.f, 2 / 37.f, 20 / 37.f}));
}

TEST_F(FirstTrigger, AnUnprotectedPromptIsRankedToo) {
  options_.protect_prompt = false;
  const ReplayResult result = replay();
  EXPECT_EQ(result.candidate_start, 0u);
  EXPECT_EQ(result.scores.at(0).size(), 7u);
  // +1 prefers row 2; -1 prefers row 6, then rows 0, 1 and 3 that tie. Four stay: 3 + T.
  EXPECT_THAT(result.kept, ElementsAre(ElementsAre(0, 1, 2, 6, 7, 8)));
}

TEST(RpcSelect, SecondRoundJudgesSurvivorsAndNewRowsTogether) {
  // Rows stand for positions 0 1 2 5 7 8 9 10 11 12; all queries are +1.
  std::vector<float> keys = {0, 0, std::log(100.f)};
  for (float weight : {5.f, 1.f, 3.f, 2.f, 4.f}) keys.push_back(std::log(weight));
  keys.insert(keys.end(), {0, 0});
  const std::vector<float> queries = {1, 1, 1, 1};
  const ReplayResult result =
      replay_policy({keys, queries, 1, 10, 1, 2, 2, 3, 1}, small_rpc(4, 2, 4, 1));
  EXPECT_THAT(result.scores.at(0),
              Pointwise(FloatNear(1e-6f), {10 / 15.f, 2 / 15.f, 6 / 15.f, 4 / 15.f, 8 / 15.f}));
  EXPECT_THAT(result.kept, ElementsAre(ElementsAre(0, 1, 2, 3, 7, 8, 9)));
}

TEST(PoolScores, CountsThePadding) {
  const std::vector<float> s = {7, 0, 0, 5, 4, 0.3f};
  const std::vector<float> average = pool_scores(s, KvPool::kAvg, 3);
  EXPECT_THAT(average,
              Pointwise(FloatNear(1e-6f), {7 / 3.f, 7 / 3.f, 5 / 3.f, 3.f, 3.1f, 4.3f / 3.f}));
  EXPECT_THAT(top_indices(average, 2), ElementsAre(3, 4));
  const std::vector<float> most = pool_scores(s, KvPool::kMax, 3);
  EXPECT_THAT(most, ElementsAre(7, 7, 5, 5, 5, 4));
  EXPECT_THAT(top_indices(most, 2), ElementsAre(0, 1));
  EXPECT_EQ(pool_scores(s, KvPool::kNone, 3), s);
  EXPECT_THAT(top_indices(s, 2), ElementsAre(0, 3));
}

TEST(PoolScores, AWindowOverEverythingTies) {
  const std::vector<float> pooled =
      pool_scores(std::vector<float>{0.1f, 0.9f, 0.2f, 0.7f}, KvPool::kAvg, 7);
  EXPECT_THAT(pooled, ElementsAre(pooled[0], pooled[0], pooled[0], pooled[0]));
  EXPECT_THAT(top_indices(pooled, 3), ElementsAre(0, 1, 2));
}

TEST(PoolScores, MaxIgnoresThePaddingOfNegativeScores) {
  EXPECT_THAT(pool_scores(std::vector<float>{-3, -2, -5}, KvPool::kMax, 3),
              ElementsAre(-2, -2, -2));
  EXPECT_TRUE(pool_scores({}, KvPool::kAvg, 7).empty());
}

TEST(AggregateScores, LayerSharesOneListAndKvHeadsHaveTheirOwn) {
  const std::vector<float> scores = {.50f, .45f, .05f, .05f, .45f, .50f};
  const auto layer = aggregate_scores(scores, 2, 2, KvGranularity::kLayer, KvAggregation::kMean);
  ASSERT_EQ(layer.size(), 1u);
  EXPECT_THAT(top_indices(layer[0], 1), ElementsAre(1));
  const auto heads = aggregate_scores(scores, 2, 2, KvGranularity::kKvHead, KvAggregation::kMean);
  ASSERT_EQ(heads.size(), 2u);
  EXPECT_THAT(top_indices(heads[0], 1), ElementsAre(0));
  EXPECT_THAT(top_indices(heads[1], 1), ElementsAre(2));
}

TEST(TopIndices, NaNRanksLast) {
  const std::vector<float> s = {kNaN, -INFINITY, kNaN, 1, -0.f, 0.f};
  EXPECT_THAT(top_indices(s, 0), ElementsAre());
  EXPECT_THAT(top_indices(s, 2), ElementsAre(3, 4));
  EXPECT_THAT(top_indices(s, 4), ElementsAre(1, 3, 4, 5));
  EXPECT_THAT(top_indices(s, 5), ElementsAre(0, 1, 3, 4, 5));
  EXPECT_THAT(top_indices(s, 6), ElementsAre(0, 1, 2, 3, 4, 5));
}

TEST(SelectorFor, PublishedSpecialCases) {
  KvOptions o = small_rpc(1024, 32, 4, 7);
  const auto asked = [&](std::size_t rounds) {
    const Selector s = selector_for(o, rounds);
    return std::pair(s.queries, s.newest_weight);
  };
  EXPECT_EQ(asked(0), std::pair(std::size_t{32}, 1.f));
  o.selector = KvSelector::kReference;
  EXPECT_EQ(asked(0), std::pair(std::size_t{31}, 2.f));
  EXPECT_EQ(asked(1), std::pair(std::size_t{31}, 2.f));
  o.interval = 4;  // after the first compression only 4 queries have been cached again
  EXPECT_EQ(asked(0), std::pair(std::size_t{31}, 2.f));
  EXPECT_EQ(asked(1), std::pair(std::size_t{4}, 2.f));
  o.window = 1;
  EXPECT_EQ(asked(0), std::pair(std::size_t{1}, 1.f));
  o.selector = KvSelector::kLast;
  o.window = 32;
  EXPECT_EQ(asked(3), std::pair(std::size_t{1}, 1.f));
}

// Two KV heads, four query heads, 35 rows of 8 values; 5 prompt rows, P = 24, R = 6, T = 6.
class RandomCase : public ::testing::Test {
 protected:
  RandomCase() {
    test::SplitMix64 random(20250520);
    keys_ = random.values(std::size_t{2} * 35 * 8);
    queries_ = random.values(std::size_t{4} * 6 * 8, 3.0);
  }
  // Kept candidates, relative to the first one.
  std::vector<std::vector<std::int32_t>> kept() const {
    std::vector<std::vector<std::int32_t>> lists;
    for (const auto& rows : replay().kept) {
      EXPECT_EQ(rows.size(), 5u + 6 + 6);
      lists.emplace_back();
      for (std::size_t i = 5; i < 11; ++i) lists.back().push_back(rows.at(i) - 5);
    }
    return lists;
  }
  ReplayResult replay() const {
    return replay_policy({keys_, queries_, 2, 35, 8, 4, 6, 5, 0}, options_);
  }

  std::vector<float> keys_, queries_;
  KvOptions options_ = small_rpc(24, 6, 4, 7);
};

TEST_F(RandomCase, Layer) {
  EXPECT_THAT(kept(), ::testing::Each(ElementsAre(2, 3, 4, 16, 18, 19)));
  std::vector<float> first = replay().scores.at(0);
  ASSERT_EQ(first.size(), 24u);
  first.resize(4);
  EXPECT_THAT(first,
              Pointwise(FloatNear(2e-6f), {.163366679f, .197344988f, .247088612f, .276109286f}));
}

TEST_F(RandomCase, KvHead) {
  options_.granularity = KvGranularity::kKvHead;
  EXPECT_THAT(kept(),
              ElementsAre(ElementsAre(10, 11, 12, 13, 18, 19), ElementsAre(2, 3, 4, 5, 6, 7)));
}

TEST_F(RandomCase, ReferenceSelector) {
  options_.selector = KvSelector::kReference;
  EXPECT_THAT(kept(), ::testing::Each(ElementsAre(3, 4, 8, 18, 19, 20)));
}

TEST_F(RandomCase, FullSoftmax) {
  options_.softmax = KvSoftmax::kFull;
  EXPECT_THAT(kept(), ::testing::Each(ElementsAre(2, 3, 4, 16, 18, 19)));
}

}  // namespace
}  // namespace laconic
