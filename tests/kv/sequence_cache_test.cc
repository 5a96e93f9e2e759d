// SPDX-License-Identifier: Apache-2.0
// What a sequence's cache promises over hundreds of tokens, for every policy.
#include "kv/sequence_cache.h"

#include <algorithm>

#include "cache_driver.h"

namespace laconic {
namespace {

using test::Driver;
using test::Kept;
using test::random_shape;

KvOptions random_options() {
  KvOptions o;
  o.policy = *rc::gen::weightedElement<KvPolicy>({{3, KvPolicy::kRpc}, {1, KvPolicy::kRandom}});
  o.seed = *rc::gen::arbitrary<std::uint64_t>();
  o.type = *rc::gen::element(KvType::kF32, KvType::kF16, KvType::kBF16, KvType::kQ8_0);
  o.interval = *rc::gen::inRange<std::size_t>(1, 50);
  o.window = *rc::gen::inRange<std::size_t>(1, 30);
  const int most = static_cast<int>(std::min<std::size_t>(4 * o.interval, 32));
  o.ratio = *rc::gen::inRange(4, most + 1) / 4.0;
  o.kernel = 2 * *rc::gen::inRange<std::size_t>(0, 5) + 1;
  o.pool = *rc::gen::element(KvPool::kAvg, KvPool::kMax, KvPool::kNone);
  o.granularity = *rc::gen::element(KvGranularity::kLayer, KvGranularity::kKvHead);
  o.selector = *rc::gen::element(KvSelector::kExact, KvSelector::kReference, KvSelector::kLast);
  o.softmax = *rc::gen::element(KvSoftmax::kCandidates, KvSoftmax::kFull);
  o.cap = *rc::gen::element<std::size_t>(0, 0, 0, 12, 60);
  o.protect_prompt = *rc::gen::weightedElement<bool>({{3, true}, {1, false}});
  return o;
}

// Positions of the queries that a trigger asks, the current one at `newest`, after `rounds` earlier
// compressions.
std::vector<std::int32_t> asked(const KvOptions& o, std::int32_t newest, std::size_t rounds) {
  const auto window = static_cast<std::int32_t>(o.window);
  const auto interval = static_cast<std::int32_t>(o.interval);
  std::vector<std::int32_t> positions;
  if (o.selector == KvSelector::kLast) return {newest};
  if (o.selector == KvSelector::kExact) {
    for (std::int32_t back = window - 1; back >= 0; --back) positions.push_back(newest - back);
    return positions;
  }
  // x is P - 1 now and was one less at each token before; x > P - R was cached, and the cache was
  // emptied where x = 0 began a round.
  for (std::int32_t x = rounds == 0 ? -window : 0; x < interval; ++x) {
    if (x > interval - window) positions.push_back(newest - (interval - 1 - x));
  }
  positions.push_back(newest);
  return positions;
}

RC_GTEST_PROP(SequenceCacheProperty, HoldsEveryInvariant, (std::uint64_t seed)) {
  const KvOptions o = random_options();
  const KvShape shape = random_shape(o.type);
  Driver driver(shape, o, seed);
  std::size_t compressions = 0;
  std::size_t peak = 0, decode_steps = 0;
  double sum = 0;
  for (int generation = 0; generation < 2; ++generation) {
    driver.prompt(*rc::gen::inRange<std::size_t>(0, 40));
    driver.cache().begin_generation();
    const std::size_t prompt_rows = driver.cache().head(0, 0).size();
    // KV heads may have kept different rows of the generation before.
    std::vector<std::vector<std::int32_t>> prompt;
    for (std::size_t i = 0; i < shape.layers * shape.kv_heads; ++i) {
      prompt.push_back(driver.held(i));
    }
    std::size_t rounds = 0;
    peak = std::max(peak, prompt_rows);

    const auto tokens = *rc::gen::inRange<std::size_t>(0, 220);
    for (std::size_t step = 1; step <= tokens; ++step) {
      // What each head holds when the step's attention runs.
      std::vector<std::vector<std::int32_t>> before;
      for (std::size_t i = 0; i < shape.layers * shape.kv_heads; ++i) {
        before.push_back(driver.held(i));
        before.back().push_back(driver.cache().next_position());
      }
      driver.trace().clear();
      if (o.policy == KvPolicy::kRandom) RC_ASSERT(!driver.cache().wants_queries(/*prompt=*/false));
      RC_ASSERT(driver.token());
      ++decode_steps;
      sum += static_cast<double>(before[0].size());
      peak = std::max(peak, before[0].size());

      const bool due = step >= o.window + o.interval && (step - o.window) % o.interval == 0;
      RC_ASSERT(driver.trace().size() == (due ? shape.layers * shape.kv_heads : 0u));
      for (std::size_t layer = 0; layer < shape.layers; ++layer) {
        for (std::size_t h = 0; h < shape.kv_heads; ++h) {
          const HeadCache& head = driver.cache().head(layer, h);
          RC_ASSERT(head.size() == Schedule::rows_after(o, prompt_rows, step));
          const auto held = head.positions();
          const std::size_t window = std::min(o.window, step);
          for (std::size_t back = 0; back < window; ++back) {
            RC_ASSERT(held[held.size() - 1 - back] ==
                      driver.cache().next_position() - 1 - static_cast<std::int32_t>(back));
          }
          if (o.protect_prompt) {
            const auto& first = prompt[layer * shape.kv_heads + h];
            RC_ASSERT(std::equal(first.begin(), first.end(), held.begin()));
          }
          // Nothing but what was there.
          const auto& had = before[layer * shape.kv_heads + h];
          RC_ASSERT(std::includes(had.begin(), had.end(), held.begin(), held.end()));
        }
      }
      driver.check_accounting();
      if (!due) continue;

      driver.check_rows();
      ++compressions;
      for (const Kept& kept : driver.trace()) {
        RC_ASSERT(kept.step == step);
        const auto held = driver.cache().head(kept.layer, kept.kv_head).positions();
        RC_ASSERT(
            std::equal(held.begin(), held.end(), kept.positions.begin(), kept.positions.end()));
        if (o.granularity == KvGranularity::kLayer) {
          RC_ASSERT(kept.positions == driver.trace()[kept.layer * shape.kv_heads].positions);
        }
      }
      if (o.policy == KvPolicy::kRandom) continue;
      for (std::size_t layer = 0; layer < shape.layers; ++layer) {
        test::TwinInput twin;
        twin.query_heads = shape.heads;
        twin.first_candidate = o.protect_prompt ? prompt_rows : 0;
        twin.window = o.window;
        for (std::size_t h = 0; h < shape.kv_heads; ++h) {
          twin.keys.emplace_back();
          for (std::int32_t p : before[layer * shape.kv_heads + h]) {
            twin.keys[h].push_back(driver.key(layer, h, p));
          }
        }
        const std::int32_t newest = driver.cache().next_position() - 1;
        for (std::int32_t p : asked(o, newest, rounds)) {
          const auto visible = twin.keys[0].size() - static_cast<std::size_t>(newest - p);
          twin.queries.push_back({driver.queries(p)[layer], visible});
        }
        const auto scores = test::twin_scores(twin, o);
        for (std::size_t h = 0; h < shape.kv_heads; ++h) {
          const auto& had = before[layer * shape.kv_heads + h];
          const auto& kept = driver.trace()[layer * shape.kv_heads + h];
          RC_ASSERT(kept.layer == layer);
          RC_ASSERT(kept.kv_head == h);
          std::vector<std::int32_t> chosen;
          for (std::size_t i = twin.first_candidate; i + o.window < kept.positions.size(); ++i) {
            const auto at = std::lower_bound(had.begin(), had.end(), kept.positions[i]);
            chosen.push_back(static_cast<std::int32_t>(at - had.begin()) -
                             static_cast<std::int32_t>(twin.first_candidate));
          }
          RC_ASSERT(test::are_best(scores[scores.size() == 1 ? 0 : h], chosen, chosen.size()));
        }
      }
      ++rounds;
    }
  }
  const double row = static_cast<double>(2 * row_bytes(kv_dtype(o.type), shape.head_dim) *
                                         shape.layers * shape.kv_heads);
  const KvCounters counters = driver.cache().counters();
  RC_ASSERT(counters.compressions == compressions);
  RC_ASSERT(static_cast<double>(counters.peak_bytes) ==
            row * static_cast<double>(std::max(peak, driver.cache().head(0, 0).size())));
  if (decode_steps > 0) {
    const double mean = row * sum / static_cast<double>(decode_steps);
    RC_ASSERT(std::abs(counters.mean_bytes - mean) <= 1e-9 * mean);
  }
  driver.destroy();
  RC_ASSERT(driver.pool().pages_used() == 0u);
}

// c = 1, and intervals that the answer does not reach, leave exactly what `full` leaves.
RC_GTEST_PROP(SequenceCacheProperty, RatioOneAndLongIntervalsEqualFull, (std::uint64_t seed)) {
  KvOptions o = random_options();
  const KvShape shape = random_shape(o.type);
  o.cap = 0;
  const bool by_ratio = *rc::gen::arbitrary<bool>();
  if (by_ratio) {
    o.ratio = 1;
  } else {
    o.interval = 200;
  }
  KvOptions full;
  full.type = o.type;
  Driver rpc(shape, o, seed), plain(shape, full, seed);
  for (Driver* driver : {&rpc, &plain}) {
    driver->prompt(9);
    driver->cache().begin_generation();
    for (int i = 0; i < 150; ++i) driver->token();
    driver->check_rows();
  }
  for (std::size_t layer = 0; layer < shape.layers; ++layer) {
    for (std::size_t h = 0; h < shape.kv_heads; ++h) {
      const auto a = rpc.cache().head(layer, h).positions();
      const auto b = plain.cache().head(layer, h).positions();
      RC_ASSERT(std::equal(a.begin(), a.end(), b.begin(), b.end()));
    }
  }
  RC_ASSERT(rpc.cache().counters().peak_bytes == plain.cache().counters().peak_bytes);
  RC_ASSERT(plain.cache().counters().compressions == 0u);
}

// A generation that ended anywhere, just before a trigger too, leaves no trace in the next one.
RC_GTEST_PROP(SequenceCacheProperty, ASecondGenerationEqualsAFreshCache, (std::uint64_t seed)) {
  const KvOptions o = random_options();
  const KvShape shape = random_shape(o.type);
  const auto first = *rc::gen::inRange<std::size_t>(0, o.window + o.interval);
  const auto more = *rc::gen::inRange<std::size_t>(0, 10);
  Driver used(shape, o, seed), fresh(shape, o, seed);
  used.prompt(7);
  used.cache().begin_generation();
  for (std::size_t i = 0; i < first; ++i) used.token();
  used.prompt(more);
  fresh.prompt(7 + first + more);
  for (Driver* driver : {&used, &fresh}) {
    driver->trace().clear();
    driver->cache().begin_generation();
    for (int i = 0; i < 150; ++i) driver->token();
  }
  RC_ASSERT(used.trace() == fresh.trace());
}

RC_GTEST_PROP(SequenceCacheProperty, TheSameTwice, (std::uint64_t seed)) {
  const KvOptions o = random_options();
  const KvShape shape = random_shape(o.type);
  Driver a(shape, o, seed), b(shape, o, seed);
  for (Driver* driver : {&a, &b}) {
    driver->cache().begin_generation();
    for (int i = 0; i < 150; ++i) driver->token();
  }
  RC_ASSERT(a.trace() == b.trace());
}

TEST(SequenceCache, ReserveIsAllOrNothingOverAllHeads) {
  const KvShape shape{2, 2, 2, 4};
  Driver driver(shape, {}, 1, 7);
  EXPECT_TRUE(driver.cache().reserve(64, /*prompt=*/true));
  EXPECT_EQ(driver.pool().pages_used(), 4u);
  EXPECT_FALSE(driver.cache().reserve(65, /*prompt=*/true)) << "three of four heads would fit";
  EXPECT_EQ(driver.pool().pages_used(), 4u);
  EXPECT_EQ(driver.cache().counters().peak_allocated_bytes, 4 * driver.pool().page_bytes());
  EXPECT_TRUE(driver.prompt(64));
  EXPECT_FALSE(driver.token());
}

TEST(SequenceCache, EvictionMakesRoomForOthers) {
  const KvShape shape{1, 2, 2, 4};
  KvOptions o;
  o.policy = KvPolicy::kRpc;
  o.interval = 100;
  o.window = 10;
  o.ratio = 10;
  Driver driver(shape, o, 1);
  driver.prompt(20);
  driver.cache().begin_generation();
  for (int i = 0; i < 109; ++i) driver.token();
  EXPECT_EQ(driver.pool().pages_used(), 6u);  // 129 rows: three pages per head
  driver.token();
  EXPECT_EQ(driver.cache().head(0, 0).size(), 40u);
  EXPECT_EQ(driver.pool().pages_used(), 2u);
  const KvCounters counters = driver.cache().counters();
  EXPECT_EQ(counters.peak_bytes, 130u * 2 * 2 * 4 * 2) << "the trigger step saw 130 rows";
  EXPECT_EQ(counters.compressions, 1u);
  EXPECT_EQ(driver.cache().next_position(), 130);
}

TEST(SequenceCache, AWindowLongerThanTheAnswerCostsNothing) {
  KvOptions o;
  o.policy = KvPolicy::kRpc;
  o.interval = 4;
  o.window = 2147483647;
  Driver driver({1, 1, 1, 4}, o, 1);
  driver.cache().begin_generation();
  for (int i = 0; i < 100; ++i) driver.token();
  EXPECT_TRUE(driver.cache().wants_queries(/*prompt=*/false));
  EXPECT_EQ(driver.cache().head(0, 0).size(), 100u);
}

TEST(SequenceCache, FullAsksForNoQueries) {
  Driver driver({1, 2, 1, 4}, {}, 1);
  driver.cache().begin_generation();
  for (int i = 0; i < 100; ++i) {
    EXPECT_FALSE(driver.cache().wants_queries(/*prompt=*/false));
    driver.token();
  }
  EXPECT_EQ(driver.cache().counters().seconds, 0.0);
}

}  // namespace
}  // namespace laconic
