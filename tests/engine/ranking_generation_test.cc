// SPDX-License-Identifier: Apache-2.0
// Whole generations with h2o, tova and streaming: per step as published, and in bursts.
#include <gtest/gtest.h>

#include <numeric>

#include "engine/ranking_following.h"
#include "kv/kv_support.h"

namespace laconic::test {
namespace {

constexpr std::size_t kPrompt = 30, kTokens = 120;

struct Arm {
  const char* name;
  KvOptions kv;
};

KvOptions published(KvPolicy policy, std::size_t interval, std::size_t budget, bool protect) {
  KvOptions kv = KvOptions::of(policy);
  kv.type = KvType::kF32;
  kv.interval = interval;
  kv.budget = budget;
  kv.protect_prompt = protect;
  return kv;
}

// At every token and every 16, by both laws; where the prompt may go, some of it goes at once.
std::vector<Arm> arms_of(KvPolicy policy) {
  return {{"each_step", published(policy, 1, 44, true)},
          {"each_step_unprotected", published(policy, 1, 24, false)},
          {"bursts", published(policy, 16, 44, true)},
          {"bursts_unprotected", published(policy, 16, 24, false)},
          {"by_ratio", published(policy, 16, 0, true)},
          {"by_ratio_unprotected", published(policy, 16, 0, false)}};
}

std::string arm_name(const ::testing::TestParamInfo<Arm>& info) { return info.param.name; }

class H2oGeneration : public ::testing::TestWithParam<Arm> {};

// The newest half of what is left beside the protected rows, and of the older ones those that
// received most, summed over all steps and over the queries that share the KV head.
void expect_heavy_hitters(const Compression& now) {
  const auto& held = now.held();
  const std::size_t recent = (now.stay() - now.first()) / 2;
  const std::size_t older = held.size() - recent, heavy_end = now.stay() - recent;
  EXPECT_TRUE(now.stayed(0, now.first(), 0));
  EXPECT_TRUE(now.stayed(older, held.size(), heavy_end));
  std::vector<double> received;
  for (std::size_t r = now.first(); r < older; ++r) received.push_back(held[r].received);
  EXPECT_TRUE(are_best(received, now.ranked(now.first(), heavy_end), heavy_end - now.first()));
}

TEST_P(H2oGeneration, KeepsTheHeavyHittersOfTheReference) {
  Float64Decoder plain(tiny_checkpoint());
  follow(GetParam().kv, kPrompt, kTokens, plain, expect_heavy_hitters);
}

TEST_P(H2oGeneration, ForgetsWithDecay) {
  KvOptions kv = GetParam().kv;
  kv.decay = 0.75;
  Float64Decoder plain(tiny_checkpoint());
  plain.use_decay(kv.decay);
  follow(kv, kPrompt, kTokens, plain, expect_heavy_hitters);
}

INSTANTIATE_TEST_SUITE_P(Arms, H2oGeneration, ::testing::ValuesIn(arms_of(KvPolicy::kH2o)),
                         arm_name);

class TovaGeneration : public ::testing::TestWithParam<Arm> {};

// One list for the layer: what the latest query attends to, on average over all query heads. The
// latest row is a candidate as every other.
TEST_P(TovaGeneration, KeepsWhatTheLatestQueryAttendsTo) {
  const KvShape shape = tiny_shape();
  Float64Decoder plain(tiny_checkpoint());
  follow(GetParam().kv, kPrompt, kTokens, plain, [&](const Compression& now) {
    std::vector<double> mean(now.held().size() - now.first());
    for (std::size_t h = 0; h < shape.kv_heads; ++h) {
      const auto& rows = now.plain.held(now.layer, h);
      ASSERT_EQ(rows.size(), now.held().size());
      for (std::size_t i = 0; i < mean.size(); ++i) {
        const auto& weights = rows[now.first() + i].weights;
        mean[i] +=
            std::accumulate(weights.begin(), weights.end(), 0.0) / static_cast<double>(shape.heads);
      }
    }
    EXPECT_TRUE(now.stayed(0, now.first(), 0));
    EXPECT_TRUE(are_best(mean, now.ranked(now.first(), now.stay()), now.stay() - now.first()));
  });
}

INSTANTIATE_TEST_SUITE_P(Arms, TovaGeneration, ::testing::ValuesIn(arms_of(KvPolicy::kTova)),
                         arm_name);

class StreamingGeneration : public ::testing::TestWithParam<Arm> {
 protected:
  static void expect_sinks_and_newest(const Compression& now) {
    EXPECT_TRUE(now.stayed(0, now.first(), 0));
    const std::size_t newest = now.stay() - now.first();
    EXPECT_TRUE(now.stayed(now.held().size() - newest, now.held().size(), now.first()));
  }
};

TEST_P(StreamingGeneration, KeepsSinksAndTheNewestRows) {
  Float64Decoder plain(tiny_checkpoint());
  follow(GetParam().kv, kPrompt, kTokens, plain, expect_sinks_and_newest);
}

// Keys stay as they are: it is the query that is turned to its place in the cache for the sinks.
TEST_P(StreamingGeneration, SeesSinksByTheirDistanceInTheCache) {
  KvOptions kv = GetParam().kv;
  kv.positions = KvPositions::kCache;
  Float64Decoder plain(tiny_checkpoint());
  plain.use_cache_positions();
  follow(kv, kPrompt, kTokens, plain, expect_sinks_and_newest);
}

// With a protected prompt the rows of earlier turns stand in pieces: each has lost another
// distance.
TEST_P(StreamingGeneration, SeesEveryTurnByItsDistanceInTheCache) {
  KvOptions kv = GetParam().kv;
  if (kv.by_budget() && kv.protect_prompt) GTEST_SKIP() << "a full budget holds no second turn";
  kv.positions = KvPositions::kCache;
  const KvShape shape = tiny_shape();
  Float64Decoder plain(tiny_checkpoint());
  plain.use_cache_positions();
  KeepLists lists;
  Session session(tiny_model(), session_of(kv));
  trace_into(session, lists);
  const SequenceId id = session.add(random_ids(kPrompt, 21), forced(90, 22));
  for (std::uint32_t turn = 0;; ++turn) {
    SCOPED_TRACE("turn " + std::to_string(turn));
    while (session.step()) {
    }
    expect_answer(plain, session.result(id), kClose, [&](std::size_t step) {
      for (std::size_t l = 0; l < shape.layers; ++l) {
        for (std::size_t h = 0; h < shape.kv_heads; ++h) {
          const auto kept = lists.find({id, step, l, h});
          if (kept != lists.end()) plain.keep(l, h, kept->second);
        }
      }
    });
    ASSERT_FALSE(lists.empty());
    lists.clear();
    if (turn == 2) return;
    session.extend(id, random_ids(7, 23 + turn), forced(90, 33 + turn));
  }
}

TEST_P(StreamingGeneration, TheTwoWaysToSeeSinksDifferOnceRowsAreGone) {
  KvOptions kv = GetParam().kv;
  const auto run = [&] {
    return Session(tiny_model(), session_of(kv))
        .generate(random_ids(kPrompt, 21), forced(kTokens, 22));
  };
  const Generation absolute = run();
  kv.positions = KvPositions::kCache;
  const Generation by_index = run();
  EXPECT_EQ(by_index.kv.rows, absolute.kv.rows);
  const std::size_t first = compressions_of(kv, kPrompt, kTokens)[0].first;
  EXPECT_EQ(by_index.logits[first], absolute.logits[first]);
  EXPECT_NE(by_index.logits[first + 1], absolute.logits[first + 1]);
}

INSTANTIATE_TEST_SUITE_P(Arms, StreamingGeneration,
                         ::testing::ValuesIn(arms_of(KvPolicy::kStreaming)), arm_name);

}  // namespace
}  // namespace laconic::test
