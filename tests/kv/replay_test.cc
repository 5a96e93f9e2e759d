// SPDX-License-Identifier: Apache-2.0
// What replay refuses. What it computes is tested with the ranking.
#include "kv/replay.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "laconic/error.h"

namespace laconic {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class Replay : public ::testing::Test {
 protected:
  Replay() {
    options_.policy = KvPolicy::kRpc;
    options_.interval = 4;
    options_.window = 2;
    input_ = {keys_, queries_, 2, 9, 3, 4, 2, 3, 0};
  }
  std::string refusal(ErrorKind kind) const {
    try {
      replay_policy(input_, options_);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), kind) << error.what();
      return error.what();
    }
    return "accepted";
  }

  std::vector<float> keys_ = std::vector<float>(2 * 9 * 3, 0.5f);
  std::vector<float> queries_ = std::vector<float>(4 * 2 * 3, 0.5f);
  KvOptions options_;
  ReplayInput input_;
};

TEST_F(Replay, FullKeepsEveryRow) {
  options_ = {};
  const ReplayResult result = replay_policy(input_, options_);
  EXPECT_THAT(result.kept, ::testing::Each(::testing::ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8)));
  EXPECT_EQ(result.kept.size(), 2u);
  EXPECT_TRUE(result.scores.empty());
}

TEST_F(Replay, RefusesArraysThatContradictTheirShape) {
  input_.keys = input_.keys.first(53);
  EXPECT_THAT(refusal(ErrorKind::kInput),
              AllOf(HasSubstr("keys holds 53 values"), HasSubstr("54")));
  input_.rows = std::numeric_limits<std::size_t>::max();
  EXPECT_THAT(refusal(ErrorKind::kInput), HasSubstr("overflows"));
  input_.rows = 0;
  EXPECT_THAT(refusal(ErrorKind::kInput), HasSubstr("[2, 0, 3] is empty"));
}

TEST_F(Replay, RefusesHeadsThatDoNotShareEvenly) {
  input_.heads = 3;
  input_.queries = input_.queries.first(18);
  EXPECT_THAT(refusal(ErrorKind::kInput), AllOf(HasSubstr("3 heads"), HasSubstr("2 KV heads")));
}

TEST_F(Replay, RefusesValuesThatAreNotFinite) {
  queries_[5] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT(refusal(ErrorKind::kInput), HasSubstr("queries holds a value that is not finite"));
}

TEST_F(Replay, RefusesOptionsThatDoNotFit) {
  options_.window = 5;
  EXPECT_THAT(refusal(ErrorKind::kUsage), AllOf(HasSubstr("--kv-window is 5"), HasSubstr("2 que")));
  options_.window = 2;
  input_.prompt_rows = 10;
  EXPECT_THAT(refusal(ErrorKind::kUsage), HasSubstr("--prompt-rows 10"));
  input_.prompt_rows = 7;
  EXPECT_THAT(refusal(ErrorKind::kUsage), AllOf(HasSubstr("keys has 9 rows"), HasSubstr("10")));
  options_.protect_prompt = false;
  EXPECT_THAT(refusal(ErrorKind::kUsage), AllOf(HasSubstr("keys has 9 rows"), HasSubstr("10")));
  input_.prompt_rows = 6;
  EXPECT_EQ(refusal(ErrorKind::kUsage), "accepted");
  input_.round = std::numeric_limits<std::size_t>::max();
  EXPECT_THAT(refusal(ErrorKind::kUsage), HasSubstr("--round"));
  input_.round = 0;
  options_.ratio = 0.5;
  EXPECT_THAT(refusal(ErrorKind::kUsage), HasSubstr("--kv-ratio 0.5"));
}

// One attention step for the four query heads.
class ReplaySignals : public Replay {
 protected:
  void give_attention() {
    input_.attention = attention_;
    input_.steps = 1;
  }
  void take_queries() {
    input_.queries = {};
    input_.window = 0;
  }
  void choose(KvPolicy policy) {
    options_ = KvOptions::of(policy);
    options_.budget = 8;
  }
  std::vector<float> attention_ = std::vector<float>(4 * 9, 0.125f);
};

TEST_F(ReplaySignals, WhatAPolicyDoesNotLookAtMayBeAbsent) {
  take_queries();
  input_.heads = 0;
  for (const KvPolicy policy :
       {KvPolicy::kRandom, KvPolicy::kStreaming, KvPolicy::kRecency, KvPolicy::kKnorm}) {
    choose(policy);
    options_.window = 2;
    EXPECT_EQ(refusal(ErrorKind::kUsage), "accepted");
    EXPECT_THAT(replay_policy(input_, options_).kept, ::testing::Each(::testing::SizeIs(8)));
  }
  for (const KvPolicy policy : {KvPolicy::kRpc, KvPolicy::kSnapKv, KvPolicy::kRkv}) {
    choose(policy);
    options_.window = 2;
    EXPECT_THAT(refusal(ErrorKind::kUsage), HasSubstr("needs queries [heads, window, head_dim]"));
  }
  choose(KvPolicy::kH2o);
  EXPECT_THAT(refusal(ErrorKind::kUsage), HasSubstr("needs attention [heads, steps, rows]"));
}

TEST_F(ReplaySignals, TovaTakesExactlyOneOfTwo) {
  choose(KvPolicy::kTova);
  EXPECT_EQ(refusal(ErrorKind::kUsage), "accepted");  // two queries, of which the newest is asked
  give_attention();
  EXPECT_THAT(refusal(ErrorKind::kUsage), HasSubstr("both are given"));
  take_queries();
  EXPECT_EQ(refusal(ErrorKind::kUsage), "accepted");
  input_.attention = {};
  input_.steps = 0;
  EXPECT_THAT(refusal(ErrorKind::kUsage), HasSubstr("none is given"));
}

TEST_F(ReplaySignals, RefusesAttentionThatIsNone) {
  choose(KvPolicy::kH2o);
  give_attention();
  EXPECT_EQ(refusal(ErrorKind::kUsage), "accepted");
  attention_[7] = -0.5f;
  EXPECT_THAT(refusal(ErrorKind::kInput), HasSubstr("below 0"));
  attention_[7] = std::numeric_limits<float>::infinity();
  EXPECT_THAT(refusal(ErrorKind::kInput), HasSubstr("attention holds a value that is not finite"));
  input_.steps = 2;
  EXPECT_THAT(refusal(ErrorKind::kInput), AllOf(HasSubstr("36 values"), HasSubstr("72")));
  take_queries();
  input_.heads = 3;
  input_.steps = 1;
  attention_.assign(3 * 9, 0.125f);
  give_attention();
  EXPECT_THAT(refusal(ErrorKind::kInput), AllOf(HasSubstr("attention has 3"), HasSubstr("2 KV")));
}

TEST_F(ReplaySignals, RefusesABudgetThatCannotTakeEffect) {
  choose(KvPolicy::kRecency);
  options_.budget = 9;
  EXPECT_THAT(refusal(ErrorKind::kUsage), AllOf(HasSubstr("9 rows"), HasSubstr("--kv-budget 9")));
  options_.budget = 6;
  input_.prompt_rows = 7;
  EXPECT_THAT(refusal(ErrorKind::kUsage), AllOf(HasSubstr("--kv-budget 6"), HasSubstr("7 rows")));
  options_.protect_prompt = false;
  EXPECT_EQ(refusal(ErrorKind::kUsage), "accepted");
}

TEST_F(ReplaySignals, RefusesWhatOneLayerCannotShow) {
  choose(KvPolicy::kRecency);
  options_.positions = KvPositions::kCache;
  EXPECT_THAT(refusal(ErrorKind::kUsage), HasSubstr("--kv-positions cache"));
  options_ = {};
  options_.heads = "random:1";
  options_.sparsity = "0.5";
  EXPECT_THAT(refusal(ErrorKind::kUsage), HasSubstr("--kv-heads"));
}

}  // namespace
}  // namespace laconic
