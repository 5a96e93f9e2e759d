// SPDX-License-Identifier: Apache-2.0
// The null beside the policy that it controls for: the same sizes at every step, other rows.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

#include "cache_driver.h"
#include "kv/replay.h"

namespace laconic {
namespace {

using test::Driver;
using test::Kept;

KvOptions random_policy(std::size_t interval, std::size_t window, double ratio) {
  KvOptions o;
  o.policy = KvPolicy::kRandom;
  o.interval = interval;
  o.window = window;
  o.ratio = ratio;
  return o;
}

RC_GTEST_PROP(RandomCacheProperty, HoldsAsManyRowsAsRpcAtEveryStep, (std::uint64_t seed)) {
  const KvShape shape = test::random_shape();
  KvOptions o;
  o.policy = KvPolicy::kRandom;
  o.interval = *rc::gen::inRange<std::size_t>(1, 40);
  o.window = *rc::gen::inRange<std::size_t>(1, 30);
  o.ratio = static_cast<double>(
      *rc::gen::inRange<std::size_t>(1, std::min<std::size_t>(o.interval, 8) + 1));
  o.cap = *rc::gen::element<std::size_t>(0, 0, 7, 30);
  o.protect_prompt = *rc::gen::arbitrary<bool>();
  o.granularity = *rc::gen::element(KvGranularity::kLayer, KvGranularity::kKvHead);
  o.seed = seed;
  KvOptions scored = o;
  scored.policy = KvPolicy::kRpc;
  Driver random(shape, o, seed), rpc(shape, scored, seed);
  const auto prompt = *rc::gen::inRange<std::size_t>(0, 50);
  for (Driver* driver : {&random, &rpc}) {
    driver->prompt(prompt);
    driver->cache().begin_generation();
  }
  for (int step = 0; step < 200; ++step) {
    random.token();
    rpc.token();
    for (std::size_t layer = 0; layer < shape.layers; ++layer) {
      for (std::size_t h = 0; h < shape.kv_heads; ++h) {
        RC_ASSERT(random.cache().head(layer, h).size() == rpc.cache().head(layer, h).size());
      }
    }
  }
  const KvCounters a = random.cache().counters(), b = rpc.cache().counters();
  RC_ASSERT(a.peak_bytes == b.peak_bytes);
  RC_ASSERT(a.peak_allocated_bytes == b.peak_allocated_bytes);
  RC_ASSERT(a.mean_bytes == b.mean_bytes);
  RC_ASSERT(a.compressions == b.compressions);
}

// Keep-lists of two compressions of the same rows, drawn for `sequence`.
std::vector<Kept> trace_of(const KvOptions& options, std::uint64_t sequence) {
  Driver driver({2, 4, 2, 4}, options, /*seed=*/1);
  driver.prompt(10);
  driver.cache().begin_generation(sequence);
  for (int i = 0; i < 4 + 2 * 32; ++i) driver.token();
  EXPECT_EQ(driver.trace().size(), 2u * 2 * 2);
  return driver.trace();
}

TEST(RandomCache, SeedAndSequenceFixTheDraws) {
  for (const auto granularity : {KvGranularity::kLayer, KvGranularity::kKvHead}) {
    KvOptions options = random_policy(32, 4, 4);
    options.granularity = granularity;
    const std::vector<Kept> first = trace_of(options, 3);
    EXPECT_EQ(trace_of(options, 3), first);
    const std::vector<Kept> other_sequence = trace_of(options, 4);
    options.seed = 1;
    const std::vector<Kept> other_seed = trace_of(options, 3);
    for (std::size_t i = 0; i < first.size(); ++i) {
      EXPECT_NE(other_sequence[i].positions, first[i].positions) << i;
      EXPECT_NE(other_seed[i].positions, first[i].positions) << i;
    }
    // Layers draw for themselves, and so do KV heads where they may.
    EXPECT_NE(first[2].positions, first[0].positions);
    EXPECT_EQ(first[1].positions == first[0].positions, granularity == KvGranularity::kLayer);
  }
}

// A head set takes heads from the policy and changes nothing for those that are left.
TEST(RandomCache, AHeadSetChangesNoDraw) {
  const KvShape shape{2, 4, 4, 4};
  KvOptions options = random_policy(32, 4, 4);
  options.granularity = KvGranularity::kKvHead;
  HeadSet some(shape.layers, shape.kv_heads);
  some.add(0, 1);
  some.add(0, 3);
  some.add(1, 2);
  Driver all(shape, options, /*seed=*/1), few(shape, options, /*seed=*/1, 1 << 20, &some);
  for (Driver* driver : {&all, &few}) {
    driver->prompt(10);
    driver->cache().begin_generation(/*sequence=*/5);
    for (int i = 0; i < 4 + 2 * 32; ++i) driver->token();
  }
  std::vector<Kept> expected = all.trace();
  std::erase_if(expected,
                [&](const Kept& kept) { return !some.is_full(kept.layer, kept.kv_head); });
  EXPECT_EQ(expected.size(), 3u * 2);
  EXPECT_EQ(few.trace(), expected);
}

TEST(RandomCache, NeverAsksForQueries) {
  Driver driver({1, 2, 1, 4}, random_policy(8, 4, 4), 1);
  driver.cache().begin_generation();
  for (int i = 0; i < 100; ++i) {
    EXPECT_FALSE(driver.cache().wants_queries(/*prompt=*/false));
    driver.token();
  }
  EXPECT_EQ(driver.cache().counters().compressions, 12u);
}

// A replay draws as the first layer of sequence 0 does.
TEST(RandomReplay, EqualsTheCache) {
  for (const auto granularity : {KvGranularity::kLayer, KvGranularity::kKvHead}) {
    KvOptions options = random_policy(32, 4, 4);
    options.granularity = granularity;
    options.seed = 11;
    const std::vector<Kept> trace = trace_of(options, 0);

    const std::vector<float> keys(2 * 46), queries(4 * 4);
    ReplayInput input{keys, queries, 2, 46, 1, 4, 4, 10, 0};
    const ReplayResult result = replay_policy(input, options);
    EXPECT_TRUE(result.scores.empty());
    EXPECT_EQ(result.candidate_start, 10u);
    ASSERT_EQ(result.kept.size(), 2u);
    EXPECT_EQ(result.kept[0], trace[0].positions);
    EXPECT_EQ(result.kept[1], trace[1].positions);

    // The next round: what stayed, and 32 tokens more.
    const std::vector<float> more_keys(2 * 54);
    input.keys = more_keys;
    input.rows = 54;
    input.round = 1;
    const ReplayResult next = replay_policy(input, options);
    for (std::size_t h = 0; h < 2; ++h) {
      std::vector<std::int32_t> held = trace[h].positions, kept;
      for (std::int32_t position = 46; position < 78; ++position) held.push_back(position);
      for (const std::int32_t row : next.kept[h]) {
        kept.push_back(held[static_cast<std::size_t>(row)]);
      }
      EXPECT_EQ(kept, trace[4 + h].positions) << h;
    }
  }
}

}  // namespace
}  // namespace laconic
