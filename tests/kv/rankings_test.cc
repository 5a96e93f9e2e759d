// SPDX-License-Identifier: Apache-2.0
// The rankings beside RPC's on cases small enough to check by hand, and what all rankings share.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <span>
#include <utility>

#include "kv/h2o.h"
#include "kv/policy.h"
#include "kv/replay.h"
#include "kv/rkv.h"
#include "kv_support.h"

namespace laconic {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::FloatNear;
using ::testing::Pointwise;

// A policy at `budget`, nothing protected but what it protects itself.
KvOptions at_budget(KvPolicy policy, std::size_t budget) {
  KvOptions o = KvOptions::of(policy);
  o.budget = budget;
  o.protect_prompt = false;
  return o;
}

ReplayInput keys_alone(const std::vector<float>& keys, std::size_t kv_heads, std::size_t dim) {
  ReplayInput input;
  input.keys = keys;
  input.kv_heads = kv_heads;
  input.head_dim = dim;
  input.rows = keys.size() / kv_heads / dim;
  return input;
}

// Keys that say nothing, and one layer's attention. [heads][steps][rows]
struct AttentionCase {
  AttentionCase(std::vector<float> weights, std::size_t heads, std::size_t steps,
                std::size_t kv_heads = 1)
      : attention(std::move(weights)), keys(kv_heads * attention.size() / heads / steps, 1.0f) {
    input = keys_alone(keys, kv_heads, 1);
    input.attention = attention;
    input.heads = heads;
    input.steps = steps;
  }
  AttentionCase(const AttentionCase&) = delete;

  std::vector<float> attention, keys;
  ReplayInput input;
};

// Two heavy rows and one recent one, step by step: positions and sums go on together.
TEST(H2o, StepByStep) {
  KvOptions options = at_budget(KvPolicy::kH2o, 3);
  options.interval = 1;
  options.recent = 1;
  std::vector<std::int32_t> positions;
  std::vector<float> sums;
  std::vector<std::vector<std::int32_t>> log;
  std::int32_t next = 0;
  for (const std::vector<float>& weights : std::vector<std::vector<float>>{
           {1}, {.5f, .5f}, {.2f, .2f, .6f}, {.1f, .5f, .1f, .3f}, {.1f, .1f, .6f, .2f}}) {
    positions.push_back(next++);
    ASSERT_EQ(positions.size(), weights.size());
    add_received(sums, weights.data(), weights.size(), 1, 0, options);
    const test::PagedKeys cache(std::vector<float>(sums.size()), 1, 1);
    const std::span<const float> received = sums;
    Trigger trigger;
    trigger.heads = cache.views;
    trigger.received = {&received, 1};
    trigger.stay = std::min<std::size_t>(3, sums.size());
    const Selection selection = select_rows(trigger, options);
    std::vector<std::int32_t> kept_positions;
    std::vector<float> kept_sums;
    for (const std::int32_t row : selection.kept.at(0)) {
      kept_positions.push_back(positions[static_cast<std::size_t>(row)]);
      kept_sums.push_back(sums[static_cast<std::size_t>(row)]);
    }
    positions = kept_positions;
    sums = kept_sums;
    log.push_back(positions);
  }
  EXPECT_THAT(log, ElementsAre(ElementsAre(0), ElementsAre(0, 1), ElementsAre(0, 1, 2),
                               ElementsAre(0, 1, 3), ElementsAre(0, 1, 4)));
  EXPECT_THAT(sums, Pointwise(FloatNear(1e-6f), {1.9f, 1.3f, .2f}));
}

TEST(H2o, ReplaySumsRaggedSteps) {
  const AttentionCase c({1, 0, 0, 0, .5f, .5f, 0, 0, .2f, .2f, .6f, 0, .1f, .5f, .1f, .3f}, 1, 4);
  KvOptions options = at_budget(KvPolicy::kH2o, 3);
  options.recent = 1;
  ReplayResult result = replay_policy(c.input, options);
  EXPECT_THAT(result.kept, ElementsAre(ElementsAre(0, 1, 3)));
  EXPECT_THAT(result.scores.at(0), Pointwise(FloatNear(1e-6f), {1.8f, 1.2f, .7f, .3f}));
  options.decay = 0.5;
  result = replay_policy(c.input, options);
  EXPECT_THAT(result.scores.at(0), Pointwise(FloatNear(1e-6f), {.45f, .725f, .4f, .3f}));
}

// Two KV heads of two query heads each.
TEST(H2o, TakesTheHeadsOfAGroupTogether) {
  const AttentionCase c({.6f, .1f, .2f, .1f,  //
                         .1f, .1f, .7f, .1f,  //
                         .1f, .6f, .2f, .1f,  //
                         .1f, .5f, .3f, .1f},
                        4, 1, 2);
  KvOptions options = at_budget(KvPolicy::kH2o, 2);
  options.recent = 1;
  ReplayResult result = replay_policy(c.input, options);
  EXPECT_THAT(result.kept, ElementsAre(ElementsAre(2, 3), ElementsAre(1, 3)));
  EXPECT_THAT(result.scores.at(0), Pointwise(FloatNear(1e-6f), {.7f, .2f, .9f, .2f}));
  options.granularity = KvGranularity::kLayer;
  result = replay_policy(c.input, options);
  EXPECT_THAT(result.kept, Each(ElementsAre(2, 3)));
  EXPECT_THAT(result.scores, ElementsAre(Pointwise(FloatNear(1e-6f), {.9f, 1.3f, 1.4f, .4f})));
  options.aggregation = KvAggregation::kMax;
  EXPECT_THAT(replay_policy(c.input, options).scores.at(0),
              Pointwise(FloatNear(1e-6f), {.6f, .6f, .7f, .1f}));
  options.aggregation = KvAggregation::kMean;
  EXPECT_THAT(replay_policy(c.input, options).scores.at(0),
              Pointwise(FloatNear(1e-6f), {.225f, .325f, .35f, .1f}));
}

TEST(H2o, RecentRowsCountTheWindowAndAreHalfByDefault) {
  const AttentionCase c({.9f, .1f, .1f, .8f, .2f, .7f, .3f, .1f, .1f, .1f}, 1, 1);
  KvOptions options = at_budget(KvPolicy::kH2o, 6);
  // Two sinks; of the four others two are recent.
  options.sink = 2;
  EXPECT_THAT(replay_policy(c.input, options).kept, ElementsAre(ElementsAre(0, 1, 3, 5, 8, 9)));
  options.window = 1;
  EXPECT_THAT(replay_policy(c.input, options).kept, ElementsAre(ElementsAre(0, 1, 3, 5, 8, 9)));
  options.window = 3;  // more than half: one heavy row is left
  EXPECT_THAT(replay_policy(c.input, options).kept, ElementsAre(ElementsAre(0, 1, 3, 7, 8, 9)));
  options.window = 0;
  options.recent = 1;
  EXPECT_THAT(replay_policy(c.input, options).kept, ElementsAre(ElementsAre(0, 1, 3, 5, 6, 9)));
}

TEST(Tova, EvenTheNewestRowCanGo) {
  const AttentionCase c({.40f, .10f, .30f, .20f, .20f, .50f, .18f, .12f}, 2, 1);
  KvOptions options = at_budget(KvPolicy::kTova, 3);
  const ReplayResult result = replay_policy(c.input, options);
  EXPECT_THAT(result.kept, ElementsAre(ElementsAre(0, 1, 2)));
  EXPECT_THAT(result.scores.at(0), Pointwise(FloatNear(1e-6f), {.30f, .30f, .24f, .16f}));
  options.window = 1;
  EXPECT_THAT(replay_policy(c.input, options).kept, ElementsAre(ElementsAre(0, 1, 3)));
  options.window = 0;
  options.aggregation = KvAggregation::kMax;
  EXPECT_THAT(replay_policy(c.input, options).scores.at(0),
              Pointwise(FloatNear(1e-6f), {.40f, .50f, .30f, .20f}));
}

// The same weights from queries: two KV heads whose keys are their logarithms.
TEST(Tova, AsksTheNewestQueryOverAllRows) {
  std::vector<float> keys;
  for (const double weight : {.40, .10, .30, .20, .20, .50, .18, .12}) {
    keys.push_back(static_cast<float>(std::log(weight)));
  }
  const std::vector<float> queries = {-3, 1, 7, 1};  // the older ones are not asked
  ReplayInput input = keys_alone(keys, 2, 1);
  input.queries = queries;
  input.heads = 2;
  input.window = 2;
  KvOptions options = at_budget(KvPolicy::kTova, 3);
  const ReplayResult result = replay_policy(input, options);
  EXPECT_THAT(result.scores, ElementsAre(Pointwise(FloatNear(1e-6f), {.30f, .30f, .24f, .16f})));
  EXPECT_EQ(result.kept.size(), 2u);
  options.budget = 2;
  options.granularity = KvGranularity::kKvHead;
  EXPECT_THAT(replay_policy(input, options).kept,
              ElementsAre(ElementsAre(0, 2), ElementsAre(0, 1)));
  // Protected rows are seen by the softmax, and not ranked.
  options.sink = 1;
  EXPECT_THAT(replay_policy(input, options).scores.at(0),
              Pointwise(FloatNear(1e-6f), {.10f, .30f, .20f}));
}

TEST(Streaming, SinksAndTheNewestRows) {
  const std::vector<float> keys(7, 0.5f);
  KvOptions options = at_budget(KvPolicy::kStreaming, 5);
  options.sink = 2;
  const ReplayResult result = replay_policy(keys_alone(keys, 1, 1), options);
  EXPECT_THAT(result.kept, ElementsAre(ElementsAre(0, 1, 4, 5, 6)));
  EXPECT_TRUE(result.scores.empty());
  EXPECT_EQ(result.candidate_start, 2u);
  options.window = 2;  // changes nothing: the newest rows are kept anyway
  EXPECT_THAT(replay_policy(keys_alone(keys, 1, 1), options).kept,
              ElementsAre(ElementsAre(0, 1, 4, 5, 6)));
}

TEST(Recency, TheNewestRowsAlone) {
  const std::vector<float> keys(14, 0.5f);
  EXPECT_THAT(replay_policy(keys_alone(keys, 2, 1), at_budget(KvPolicy::kRecency, 5)).kept,
              ElementsAre(ElementsAre(2, 3, 4, 5, 6), ElementsAre(2, 3, 4, 5, 6)));
}

TEST(Knorm, TheShortestKeys) {
  const std::vector<float> keys = {3, -1, 2, 5, -4, 6};
  const ReplayResult result = replay_policy(keys_alone(keys, 1, 1), at_budget(KvPolicy::kKnorm, 4));
  EXPECT_THAT(result.kept, ElementsAre(ElementsAre(0, 1, 2, 4)));
  EXPECT_THAT(result.scores.at(0), ElementsAre(-3, -1, -2, -5, -4, -6));

  const std::vector<float> pairs = {3, 4, 0, 1, 8, 6, 0, 2, 0, 6, 5, 0};  // 5 1 10 and 2 6 5
  KvOptions options = at_budget(KvPolicy::kKnorm, 1);
  EXPECT_THAT(replay_policy(keys_alone(pairs, 2, 2), options).kept,
              ElementsAre(ElementsAre(1), ElementsAre(0)));
  options.granularity = KvGranularity::kLayer;
  EXPECT_THAT(replay_policy(keys_alone(pairs, 2, 2), options).scores,
              ElementsAre(ElementsAre(-3.5f, -3.5f, -7.5f)));
}

TEST(SnapKv, EachWindowQuerySeesUpToItsOwnRow) {
  // Prompt rows 0..2, candidates 3..6, window 7..8; two query heads ask +1, then -1.
  std::vector<float> keys = {0, 0};
  for (const double weight : {100.0, 1.0, 2.0, 5.0, 0.5, 1.0, 1.0}) {
    keys.push_back(static_cast<float>(std::log(weight)));
  }
  const std::vector<float> queries = {1, -1, 1, -1};
  ReplayInput input = keys_alone(keys, 1, 1);
  input.queries = queries;
  input.heads = input.window = 2;
  input.prompt_rows = 3;
  KvOptions options = KvOptions::of(KvPolicy::kSnapKv);
  options.budget = 6;
  options.window = 2;
  options.pool = KvPool::kNone;
  const ReplayResult result = replay_policy(input, options);
  EXPECT_THAT(result.kept, ElementsAre(ElementsAre(0, 1, 2, 6, 7, 8)));
  // Sums over the two queries.
  EXPECT_THAT(result.scores.at(0),
              Pointwise(FloatNear(1e-6f), {2 * 0.0693351480f, 2 * 0.0413940314f, 2 * 0.0353916933f,
                                           2 * 0.1319438386f}));
}

class Rkv : public ::testing::Test {
 protected:
  ReplayResult replay(double lambda) const {
    ReplayInput input = keys_alone(keys_, 1, 2);
    input.queries = queries_;
    input.heads = 2;
    input.window = 1;
    KvOptions options = at_budget(KvPolicy::kRkv, 4);
    options.window = 1;
    options.kernel = 1;
    options.lambda = lambda;
    return replay_policy(input, options);
  }
  const std::vector<float> keys_ = {1, 0, 1, 0, 0, 1, .96f, .28f, -1, 0, 0, -1};
  const std::vector<float> queries_ = {2, 0, 0, 1};
  const std::vector<float> importance_ = {.2716514981f, .2716514981f, .1339428487f, .2567111301f,
                                          .0660430251f};
  // Not those of the released code, which lets rows without a similar one clear column 0.
  const std::vector<float> redundancy_ = {.2201275458f, .1875803215f, .1663688211f,
                                          .1598454064f, .1145342393f, .1515436658f};
};

TEST_F(Rkv, ImportanceAlone) {
  EXPECT_THAT(replay(1.0).kept, ElementsAre(ElementsAre(0, 1, 3, 5)));
  EXPECT_THAT(replay(1.0).scores.at(0), Pointwise(FloatNear(1e-6f), importance_));
}

TEST_F(Rkv, RedundancyAlone) {
  EXPECT_THAT(replay(0.0).kept, ElementsAre(ElementsAre(2, 3, 4, 5)));
  const ReplayResult result = replay(0.0);
  ASSERT_EQ(result.scores.at(0).size(), 5u);
  for (std::size_t i = 0; i < 5; ++i) EXPECT_NEAR(result.scores[0][i], -redundancy_[i], 1e-6);
  const test::PagedKeys cache(keys_, 1, 2);
  EXPECT_THAT(rkv_redundancy(cache.views[0], 0.5), Pointwise(FloatNear(1e-6f), redundancy_));
}

// The two duplicates and what resembles them go, the older of the duplicates first.
TEST_F(Rkv, ImportanceMinusRedundancy) {
  const ReplayResult result = replay(0.1);
  EXPECT_THAT(result.kept, ElementsAre(ElementsAre(2, 3, 4, 5)));
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_NEAR(result.scores.at(0)[i], 0.1f * importance_[i] - 0.9f * redundancy_[i], 1e-6);
  }
  EXPECT_LT(result.scores[0][0], result.scores[0][1]);
}

TEST(RkvRedundancy, ARowWithoutASimilarOneChangesNothing) {
  const test::PagedKeys opposed({1, -1}, 1, 1);
  EXPECT_THAT(rkv_redundancy(opposed.views[0], 0.5), Each(FloatNear(0.5f, 1e-6f)));
  const test::PagedKeys zeros({0, 0, 0}, 1, 1);
  EXPECT_THAT(rkv_redundancy(zeros.views[0], 0.0), Each(FloatNear(1 / 3.f, 1e-6f)));
}

// Of copies the newest is spared by the others; it spares the one before it.
TEST(RkvRedundancy, TheNewestCopyLooksLeastRedundant) {
  std::vector<float> keys(130, 1.0f);  // three pages, the last one short
  const test::PagedKeys cache(keys, 1, 1);
  const std::vector<float> redundancy = rkv_redundancy(cache.views[0], 0.5);
  EXPECT_LT(redundancy[129], redundancy[128]);
  EXPECT_LT(redundancy[128], redundancy[127]);
  EXPECT_FLOAT_EQ(redundancy[0], redundancy[127]);
}

TEST(AttentionScores, ARowNewerThanAQueryGetsNothingFromIt) {
  const test::PagedKeys cache({0, 0, 0}, 1, 1);
  const std::vector<float> queries = {1, 1};  // of rows 1 and 2
  AttentionQuestion question{cache.views, queries.data(), 2, 1, 1.0f};
  const Regions all{3, 0, 0}, last{3, 2, 0};
  EXPECT_THAT(attention_scores(question, all, KvSoftmax::kFull),
              Pointwise(FloatNear(1e-6f), {5 / 6.f, 5 / 6.f, 1 / 3.f}));
  EXPECT_THAT(attention_scores(question, all, KvSoftmax::kCandidates),
              Pointwise(FloatNear(1e-6f), {5 / 6.f, 5 / 6.f, 1 / 3.f}));
  EXPECT_THAT(attention_scores(question, last, KvSoftmax::kFull),
              ElementsAre(FloatNear(1 / 3.f, 1e-6f)));
  EXPECT_THAT(attention_scores(question, last, KvSoftmax::kCandidates), ElementsAre(1.0f));
}

TEST(AggregateScores, MaximumAndSum) {
  const std::vector<float> scores = {1, -5, 2, -7, 0, 3, 4, -9};
  const auto lists = [&](KvGranularity granularity, KvAggregation aggregation) {
    return aggregate_scores(scores, 4, 2, granularity, aggregation);
  };
  EXPECT_THAT(lists(KvGranularity::kLayer, KvAggregation::kMax), ElementsAre(ElementsAre(4, 3)));
  EXPECT_THAT(lists(KvGranularity::kLayer, KvAggregation::kSum), ElementsAre(ElementsAre(7, -18)));
  EXPECT_THAT(lists(KvGranularity::kKvHead, KvAggregation::kMax),
              ElementsAre(ElementsAre(2, -5), ElementsAre(4, 3)));
  EXPECT_THAT(lists(KvGranularity::kKvHead, KvAggregation::kSum),
              ElementsAre(ElementsAre(3, -12), ElementsAre(4, -6)));
}

// Keys of one KV head that twice say the same, and a query that likes the first. A part whose
// weight is 0 is not looked at: what it would need may be missing, or no number.
TEST(RkvWeights, WhatHasNoneIsNotAsked) {
  KvOptions options = at_budget(KvPolicy::kRkv, 3);
  options.window = 1;
  options.lambda = 0;
  EXPECT_EQ(queries_asked(options, 0), 0u);
  const std::vector<float> keys = {1, 0, 1, 0, 0, 1, .5f, .5f};
  ReplayInput input = keys_alone(keys, 1, 2);
  const ReplayResult apart = replay_policy(input, options);
  const std::vector<float> query = {1, 0};
  input.queries = query;
  input.heads = input.window = 1;
  EXPECT_EQ(replay_policy(input, options).scores, apart.scores) << "the query has no say";

  options.lambda = 1;
  EXPECT_EQ(queries_asked(options, 0), 1u);
  const ReplayResult liked = replay_policy(input, options);
  options.similarity = 0;
  EXPECT_EQ(replay_policy(input, options).scores, liked.scores) << "likeness has no say";
  EXPECT_EQ(liked.scores.at(0).size(), 3u);
  for (const float score : liked.scores.at(0)) EXPECT_GE(score, 0.0f);
}

// Beside the order that ranks, plainly sorted.
TEST(TopIndices, EqualsASortOnScoresOfAllKinds) {
  const float inf = std::numeric_limits<float>::infinity();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> kinds = {0.0f, -0.0f, 1.0f, -1.0f, 1e-42f, -1e-42f, inf,
                                    -inf, nan,   -nan, 2.5f,  -2.5f,  3e38f,   -3e38f};
  test::SplitMix64 random(5);
  for (std::size_t size : {0u, 1u, 2u, 7u, 40u, 300u}) {
    std::vector<float> scores(size);
    for (float& score : scores) score = kinds[random.bits() % kinds.size()];
    std::vector<std::int32_t> order(size);
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) {
      const float left = scores[static_cast<std::size_t>(a)];
      const float right = scores[static_cast<std::size_t>(b)];
      return std::isnan(right) ? !std::isnan(left) : left > right;
    });
    for (std::size_t count = 0; count <= size; ++count) {
      std::vector<std::int32_t> best(order.begin(),
                                     order.begin() + static_cast<std::ptrdiff_t>(count));
      std::sort(best.begin(), best.end());
      ASSERT_EQ(top_indices(scores, count), best) << count << " of " << size;
    }
  }
}

TEST(RowsInPlace, EndWhereTheFirstRowHasMoved) {
  EXPECT_EQ(rows_in_place({}), 0u);
  EXPECT_EQ(rows_in_place(std::vector<std::int32_t>{1, 2}), 0u);
  EXPECT_EQ(rows_in_place(std::vector<std::int32_t>{0, 1, 2}), 3u);
  EXPECT_EQ(rows_in_place(std::vector<std::int32_t>{0, 1, 3, 4, 9}), 2u);
}

TEST(RegionsOf, CandidatesStandBetweenTheProtectedRows) {
  const test::PagedKeys cache(std::vector<float>(20), 1, 1);
  Trigger trigger;
  trigger.heads = cache.views;
  KvOptions options;
  options.window = 6;
  const auto regions = [&](std::size_t protected_rows, std::size_t stay) {
    trigger.protected_rows = protected_rows;
    trigger.stay = stay;
    const Regions r = regions_of(trigger, options);
    return std::vector{r.first_candidate, r.candidates(), r.window, kept_candidates(trigger, r)};
  };
  EXPECT_THAT(regions(3, 12), ElementsAre(3u, 11u, 6u, 3u));
  EXPECT_THAT(regions(6, 12), ElementsAre(6u, 8u, 6u, 0u));
  EXPECT_THAT(regions(0, 20), ElementsAre(0u, 14u, 6u, 14u));
  EXPECT_THAT(regions(14, 20), ElementsAre(14u, 0u, 6u, 0u));
}

TEST(Policy, SaysWhatItLooksAt) {
  const auto asked = [](KvPolicy policy) { return queries_asked(KvOptions::of(policy), 0); };
  EXPECT_EQ(asked(KvPolicy::kRpc), 32u);
  EXPECT_EQ(asked(KvPolicy::kTova), 1u);
  EXPECT_EQ(asked(KvPolicy::kSnapKv), 8u);
  EXPECT_EQ(asked(KvPolicy::kRkv), 8u);
  for (const KvPolicy policy : {KvPolicy::kFull, KvPolicy::kRandom, KvPolicy::kStreaming,
                                KvPolicy::kRecency, KvPolicy::kKnorm, KvPolicy::kH2o}) {
    EXPECT_EQ(asked(policy), 0u);
    EXPECT_EQ(wants_attention(KvOptions::of(policy)), policy == KvPolicy::kH2o);
  }
}

}  // namespace
}  // namespace laconic
