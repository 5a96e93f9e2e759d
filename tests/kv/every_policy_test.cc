// SPDX-License-Identifier: Apache-2.0
// One schedule for all: with every ranking a cache holds what the law says at every step, and no
// row that stays is ever touched.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

#include "cache_driver.h"

namespace laconic {
namespace {

using test::Driver;

KvOptions random_options(KvPolicy policy) {
  KvOptions o = KvOptions::of(policy);
  const std::size_t least = o.window == 0 ? 0 : 1;  // a ranking by the window's queries needs one
  o.type = *rc::gen::element(KvType::kF32, KvType::kF16, KvType::kBF16, KvType::kQ8_0);
  o.interval = *rc::gen::inRange<std::size_t>(1, 40);
  o.window = *rc::gen::inRange<std::size_t>(least, 20);
  o.sink = *rc::gen::element<std::size_t>(0, 0, 3, 9);
  o.protect_prompt = *rc::gen::arbitrary<bool>();
  o.granularity = *rc::gen::element(KvGranularity::kLayer, KvGranularity::kKvHead);
  if (*rc::gen::arbitrary<bool>()) {
    o.budget = o.sink + o.window + *rc::gen::inRange<std::size_t>(1, 60);
    return o;
  }
  const std::size_t most = std::min<std::size_t>(o.interval, 8);
  o.ratio = static_cast<double>(*rc::gen::inRange<std::size_t>(1, most + 1));
  o.cap = *rc::gen::element<std::size_t>(0, 0, 9, 40);
  return o;
}

// The longest prompt that a generation with these options may begin with.
std::size_t longest_prompt(const KvOptions& o) {
  return o.by_budget() && o.protect_prompt ? o.budget - o.window : 70;
}

// Every head holds so many rows: the newest in order, and the first `kept` of those at the start
// and of the tokens that followed.
void check_heads(Driver& driver, const KvShape& shape, std::size_t rows, std::size_t newest,
                 std::vector<std::vector<std::int32_t>> start, std::size_t kept) {
  const std::int32_t next = driver.cache().next_position();
  for (std::size_t i = 0; i < shape.layers * shape.kv_heads; ++i) {
    const std::vector<std::int32_t> held = driver.held(i);
    RC_ASSERT(held.size() == rows);
    while (start[i].size() < kept) start[i].push_back(start[i].back() + 1);
    for (std::size_t back = 1; back <= newest; ++back) {
      RC_ASSERT(held[rows - back] == next - static_cast<std::int32_t>(back));
    }
    RC_ASSERT(std::equal(start[i].begin(), start[i].begin() + static_cast<std::ptrdiff_t>(kept),
                         held.begin()));
  }
}

std::vector<std::vector<std::int32_t>> held_by_all(const Driver& driver, const KvShape& shape) {
  std::vector<std::vector<std::int32_t>> out;
  for (std::size_t i = 0; i < shape.layers * shape.kv_heads; ++i) out.push_back(driver.held(i));
  return out;
}

void holds_what_the_law_says(KvPolicy policy) {
  const KvOptions o = random_options(policy);
  const KvShape shape = test::random_shape(o.type);
  o.validate();
  Driver driver(shape, o, *rc::gen::arbitrary<std::uint64_t>());
  for (int generation = 0; generation < 2; ++generation) {
    const std::size_t before = driver.cache().head(0, 0).size();
    if (before + 1 > longest_prompt(o)) return;
    const std::size_t least = std::max(before + 1, test::shortest_prompt(o));
    driver.prompt(*rc::gen::inRange(least, longest_prompt(o) + 1) - before);
    const auto start = held_by_all(driver, shape);
    const std::size_t prompt = start[0].size();
    require_budget(o, prompt);
    RC_ASSERT(driver.cache().begin_generation());
    const std::size_t first = protected_rows(o, prompt);
    const auto tokens = *rc::gen::inRange<std::size_t>(0, 90);
    for (std::size_t step = 0;; ++step) {
      check_heads(driver, shape, Schedule::rows_after(o, prompt, step), std::min(o.window, step),
                  start, std::min(first, prompt + step));
      driver.check_accounting();
      if (step == tokens) break;
      RC_ASSERT(driver.token());
    }
    driver.check_rows();
  }
  driver.destroy();
  RC_ASSERT(driver.pool().bytes_used() == 0u);
}

class EveryPolicy : public ::testing::TestWithParam<KvPolicy> {};

TEST_P(EveryPolicy, HoldsWhatTheLawSaysAtEveryStep) {
  EXPECT_TRUE(rc::check([] { holds_what_the_law_says(GetParam()); }));
}

// Layers are shared among threads: every list, every row and every page is where one thread put it.
TEST_P(EveryPolicy, ThreadsDoNotMatter) {
  const KvShape shape{5, 4, 2, 64};
  KvOptions o = KvOptions::of(GetParam());
  o.interval = 64;
  o.window = 8;
  o.granularity = KvGranularity::kKvHead;
  for (const bool protect : {true, false}) {
    o.protect_prompt = protect;
    o.budget = protect ? 0 : 300;
    Driver alone(shape, o, /*seed=*/4);
    Threads threads(3);
    Driver shared(shape, o, /*seed=*/4, 1 << 20, nullptr, &threads);
    for (Driver* driver : {&alone, &shared}) {
      driver->prompt(400);
      driver->cache().begin_generation();
      for (int i = 0; i < 8 + 2 * 64; ++i) driver->token();
      driver->check_accounting();
    }
    EXPECT_GE(alone.trace().size(), 2u * shape.layers * shape.kv_heads);
    EXPECT_EQ(shared.trace(), alone.trace());
    shared.check_rows();
  }
}

INSTANTIATE_TEST_SUITE_P(All, EveryPolicy,
                         ::testing::Values(KvPolicy::kRpc, KvPolicy::kRandom, KvPolicy::kStreaming,
                                           KvPolicy::kRecency, KvPolicy::kKnorm, KvPolicy::kH2o,
                                           KvPolicy::kTova, KvPolicy::kSnapKv, KvPolicy::kRkv),
                         [](const auto& p) { return KvOptions::of(p.param).policy_name(); });

// snapkv as published: the prompt once, and everything that follows stays.
TEST(SnapKvPrompt, CompressesThePromptOnce) {
  KvOptions o = KvOptions::of(KvPolicy::kSnapKv);
  o.phase = KvPhase::kPrompt;
  o.protect_prompt = false;
  o.budget = 24;
  o.validate();
  Driver driver({2, 4, 2, 8}, o, 1);
  driver.prompt(60);
  driver.cache().begin_generation();
  EXPECT_EQ(driver.cache().head(1, 1).size(), 24u);
  for (int i = 0; i < 100; ++i) {
    EXPECT_FALSE(driver.cache().wants_queries(/*prompt=*/false));
    driver.token();
  }
  EXPECT_EQ(driver.cache().head(1, 1).size(), 124u);
  EXPECT_EQ(driver.cache().counters().compressions, 1u);
}

}  // namespace
}  // namespace laconic
