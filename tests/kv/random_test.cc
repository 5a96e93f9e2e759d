// SPDX-License-Identifier: Apache-2.0
// The draw alone: uniform over sets of rows, and fixed by every word of its key.
#include "kv/random.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <numeric>
#include <set>

namespace laconic {
namespace {

using ::testing::ElementsAre;
using Rows = std::vector<std::int32_t>;

// A value that a chi-square variable exceeds with a chance below 3e-7 (Wilson and Hilferty's
// approximation at five standard deviations). The keys are fixed, so that a test that passes once
// passes always.
double improbable_chi_square(std::size_t degrees) {
  const double part = 2.0 / (9.0 * static_cast<double>(degrees));
  return static_cast<double>(degrees) * std::pow(1.0 - part + 5.0 * std::sqrt(part), 3);
}

// Whether the counts of equally likely outcomes, of `outcomes` there are, look like it.
template <typename Outcome>
void expect_uniform(const std::map<Outcome, std::size_t>& counts, std::size_t outcomes,
                    const std::string& what) {
  std::size_t draws = 0;
  for (const auto& [outcome, count] : counts) draws += count;
  const double expected = static_cast<double>(draws) / static_cast<double>(outcomes);
  ASSERT_GT(expected, 20.0) << what;
  double statistic = expected * static_cast<double>(outcomes - counts.size());
  for (const auto& [outcome, count] : counts) {
    statistic += std::pow(static_cast<double>(count) - expected, 2) / expected;
  }
  EXPECT_LE(counts.size(), outcomes) << what;
  EXPECT_LT(statistic, improbable_chi_square(outcomes - 1)) << what;
}

KvOptions options_of(KvGranularity granularity, std::uint64_t seed = 0) {
  KvOptions options;
  options.policy = KvPolicy::kRandom;
  options.granularity = granularity;
  options.seed = seed;
  return options;
}

// The first heads of a layer.
std::vector<std::size_t> first_heads(std::size_t count) {
  std::vector<std::size_t> ids(count);
  std::iota(ids.begin(), ids.end(), std::size_t{0});
  return ids;
}

// What 3 of 6 candidates are kept by head `head` of 2 at a place.
Rows kept(std::uint64_t seed, const RandomPlace& place, std::size_t head) {
  const Regions regions{6, 0, 0};
  return random_select(regions, 3, first_heads(2), place, options_of(KvGranularity::kKvHead, seed))
      .kept[head];
}

struct Word {
  const char* name;
  std::function<Rows(std::size_t)> kept;  // with that value of the word, all others fixed
};

const Word kWords[] = {
    {"seed",
     [](std::size_t i) {
       return kept(i, {7, 3, 2}, 1);
     }},
    {"sequence",
     [](std::size_t i) {
       return kept(5, {i, 3, 2}, 1);
     }},
    {"layer",
     [](std::size_t i) {
       return kept(5, {7, i, 2}, 1);
     }},
    {"round",
     [](std::size_t i) {
       return kept(5, {7, 3, i}, 1);
     }},
};

// Counting up in one word of the key alone gives every one of the 20 sets its share, and pairs of
// neighbouring values every one of the 400 pairs.
TEST(RandomDraw, EverySetIsEquallyLikelyAlongEveryWordOfTheKey) {
  for (const Word& word : kWords) {
    std::map<Rows, std::size_t> sets;
    std::map<std::pair<Rows, Rows>, std::size_t> pairs;
    Rows previous = word.kept(0);
    for (std::size_t i = 1; i <= 40000; ++i) {
      const Rows now = word.kept(i);
      ++sets[now];
      ++pairs[{previous, now}];
      previous = now;
    }
    expect_uniform(sets, 20, word.name);
    expect_uniform(pairs, 400, std::string("neighbours in ") + word.name);
  }
}

TEST(RandomDraw, HeadsDrawIndependently) {
  std::map<std::pair<Rows, Rows>, std::size_t> pairs;
  for (std::size_t round = 0; round < 40000; ++round) {
    ++pairs[{kept(1, {2, 3, round}, 0), kept(1, {2, 3, round}, 1)}];
  }
  expect_uniform(pairs, 400, "heads 0 and 1");
}

// No two places share a draw: words of the key do not add up, and none stands in for another.
TEST(RandomDraw, EveryPlaceHasItsOwn) {
  const Regions regions{128, 0, 0};
  std::set<Rows> draws;
  std::size_t places = 0;
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    for (std::uint64_t sequence = 0; sequence < 5; ++sequence) {
      for (std::size_t layer = 0; layer < 5; ++layer) {
        for (std::size_t round = 0; round < 5; ++round) {
          const KvOptions options = options_of(KvGranularity::kKvHead, seed);
          const auto selection =
              random_select(regions, 64, first_heads(5), {sequence, layer, round}, options);
          draws.insert(selection.kept.begin(), selection.kept.end());
          places += selection.kept.size();
        }
      }
    }
  }
  EXPECT_EQ(places, 3125u);
  EXPECT_EQ(draws.size(), places);
}

// Sizes of real life: each of 1280 candidates is among the 256 that stay equally often. The counts
// of one draw sum to 256, which takes the factor (n - 1) / n and one degree.
TEST(RandomDraw, EveryCandidateStaysEquallyOften) {
  constexpr std::size_t kSize = 1280, kCount = 256, kDraws = 4000;
  std::vector<std::size_t> counts(kSize);
  for (std::size_t i = 0; i < kDraws; ++i) {
    for (const std::int32_t row : draw_indices(kSize, kCount, i * 0x10001)) {
      ++counts[static_cast<std::size_t>(row)];
    }
  }
  const double chance = double{kCount} / kSize;
  const double variance = kDraws * chance * (1 - chance);
  double statistic = 0;
  for (const std::size_t count : counts) {
    statistic += std::pow(static_cast<double>(count) - kDraws * chance, 2) / variance;
  }
  statistic *= double{kSize - 1} / kSize;
  EXPECT_LT(statistic, improbable_chi_square(kSize - 1));
  // Too even would be no chance either: the mirror image of the bound.
  EXPECT_GT(statistic, 2.0 * (kSize - 1) - improbable_chi_square(kSize - 1));
}

RC_GTEST_PROP(RandomDrawProperty, DrawsThatManyAscendingIndices, (std::uint64_t key)) {
  const auto size = *rc::gen::inRange<std::size_t>(0, 3000);
  const auto count = *rc::gen::inRange<std::size_t>(0, size + 1);
  const Rows drawn = draw_indices(size, count, key);
  RC_ASSERT(drawn.size() == count);
  RC_ASSERT(std::adjacent_find(drawn.begin(), drawn.end(), std::greater_equal<>()) == drawn.end());
  if (count > 0) RC_ASSERT(drawn.front() >= 0);
  if (count > 0) RC_ASSERT(static_cast<std::size_t>(drawn.back()) < size);
  RC_ASSERT(draw_indices(size, count, key) == drawn);
}

TEST(RandomDraw, AllOrNothing) {
  EXPECT_THAT(draw_indices(4, 4, 9), ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(draw_indices(4, 0, 9), ElementsAre());
  EXPECT_THAT(draw_indices(0, 0, 9), ElementsAre());
}

// Tables that name a seed can be made again: these rows must never change.
TEST(RandomDraw, IsTheSameForEver) {
  EXPECT_THAT(draw_indices(20, 5, 1), ElementsAre(8, 9, 12, 18, 19));
  EXPECT_THAT(kept(1, {2, 3, 4}, 1), ElementsAre(0, 1, 4));
}

TEST(RandomSelect, ProtectedRowsStayAndALayerSharesOneList) {
  const Regions regions{30, 4, 6};
  const Selection layer =
      random_select(regions, 5, first_heads(3), {1, 2, 3}, options_of(KvGranularity::kLayer));
  ASSERT_EQ(layer.kept.size(), 3u);
  EXPECT_EQ(layer.kept[1], layer.kept[0]);
  EXPECT_EQ(layer.kept[2], layer.kept[0]);
  EXPECT_TRUE(layer.scores.empty());

  const Selection heads =
      random_select(regions, 5, first_heads(3), {1, 2, 3}, options_of(KvGranularity::kKvHead));
  ASSERT_EQ(heads.kept.size(), 3u);
  EXPECT_NE(heads.kept[1], heads.kept[0]);
  EXPECT_NE(heads.kept[2], heads.kept[1]);
  for (const Rows& list : {layer.kept[0], heads.kept[0], heads.kept[1], heads.kept[2]}) {
    ASSERT_EQ(list.size(), 4u + 5 + 6);
    Rows protected_rows(list.begin(), list.begin() + 4);
    protected_rows.insert(protected_rows.end(), list.end() - 6, list.end());
    EXPECT_THAT(protected_rows, ElementsAre(0, 1, 2, 3, 24, 25, 26, 27, 28, 29));
    EXPECT_GE(list[4], 4);
    EXPECT_LT(list[8], 24);
    EXPECT_TRUE(std::is_sorted(list.begin(), list.end()));
  }
}

// A head draws as itself, whichever others of its layer the policy is asked about.
TEST(RandomSelect, AHeadDrawsTheSameBesideAnyOthers) {
  const Regions regions{60, 4, 6};
  const KvOptions own = options_of(KvGranularity::kKvHead, 8);
  const std::vector<std::size_t> some = {1, 3};
  const Selection all = random_select(regions, 20, first_heads(4), {1, 2, 3}, own);
  const Selection few = random_select(regions, 20, some, {1, 2, 3}, own);
  EXPECT_THAT(few.kept, ElementsAre(all.kept[1], all.kept[3]));
  const KvOptions shared = options_of(KvGranularity::kLayer, 8);
  EXPECT_THAT(random_select(regions, 20, some, {1, 2, 3}, shared).kept,
              ElementsAre(all.kept[0], all.kept[0]));
}

}  // namespace
}  // namespace laconic
