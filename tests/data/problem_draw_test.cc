// SPDX-License-Identifier: Apache-2.0
// The random numbers against the published stream, their bounds, and their evenness.
#include "data/problem_draw.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace laconic {
namespace {

constexpr std::int64_t kWords = std::int64_t{1} << 32;  // values of the 32 bits that are used

// How far counts stand from even, in standard deviations of the chi-squared law.
double unevenness(const std::vector<std::int64_t>& counts) {
  double total = 0.0, chi = 0.0;
  for (const std::int64_t count : counts) total += static_cast<double>(count);
  const double expected = total / static_cast<double>(counts.size());
  for (const std::int64_t count : counts) {
    const double off = static_cast<double>(count) - expected;
    chi += off * off / expected;
  }
  const auto freedom = static_cast<double>(counts.size() - 1);
  return (chi - freedom) / std::sqrt(2.0 * freedom);
}

TEST(ProblemDraw, IsThePublishedStream) {
  // SplitMix64 from state 0: the upper halves of E220A8397B1DCDAF 6E789E6AA1B965F4
  // 06C45D188009454F.
  ProblemDraw draw(std::initializer_list<std::uint64_t>{});
  EXPECT_EQ(draw.between(0, kWords - 1), 0xE220A839);
  EXPECT_EQ(draw.between(0, kWords - 1), 0x6E789E6A);
  EXPECT_EQ(draw.between(0, kWords - 1), 0x06C45D18);
}

RC_GTEST_PROP(ProblemDraw, StaysBetweenItsEnds, ()) {
  const auto low = *rc::gen::inRange<std::int64_t>(-1000000000000, 1000000000000);
  const auto width = *rc::gen::inRange<std::int64_t>(0, 2000);
  ProblemDraw draw({*rc::gen::arbitrary<std::uint64_t>(), *rc::gen::arbitrary<std::uint64_t>()});
  for (int i = 0; i < 1000; ++i) {
    const std::int64_t value = draw.between(low, low + width);
    RC_ASSERT(low <= value && value <= low + width);
    RC_ASSERT(draw.between(low, low) == low);
    RC_ASSERT(draw.below(static_cast<std::size_t>(width) + 1) <= static_cast<std::size_t>(width));
    RC_ASSERT(!draw.chance(0) && draw.chance(100));
  }
}

TEST(ProblemDraw, IsEvenForEveryWidth) {
  for (std::uint64_t width = 2; width <= 130; ++width) {
    ProblemDraw draw({11, width});
    std::vector<std::int64_t> counts(width);
    for (std::uint64_t i = 0; i < 200 * width; ++i) {
      ++counts[static_cast<std::size_t>(draw.between(-7, static_cast<std::int64_t>(width) - 8) +
                                        7)];
    }
    EXPECT_LT(std::abs(unevenness(counts)), 6.0) << width;
    EXPECT_GT(*std::min_element(counts.begin(), counts.end()), 0) << width;
  }
}

TEST(ProblemDraw, IsEvenOverTheFirstNumbersOfNeighbouringKeys) {
  // Problems differ in their index alone: what they draw first must differ as chance would.
  std::vector<std::int64_t> first(20), pairs(400);
  for (std::uint64_t index = 0; index < 100000; ++index) {
    const std::size_t a = ProblemDraw({1, 0, 0, index, 0}).below(20);
    const std::size_t b = ProblemDraw({1, 0, 0, index + 1, 0}).below(20);
    ++first[a];
    ++pairs[a * 20 + b];
  }
  EXPECT_LT(std::abs(unevenness(first)), 6.0);
  EXPECT_LT(std::abs(unevenness(pairs)), 6.0);
}

TEST(ProblemDraw, EveryPartOfTheKeyCounts) {
  const auto first = [](std::initializer_list<std::uint64_t> key) {
    return ProblemDraw(key).between(0, kWords - 1);
  };
  EXPECT_EQ(first({1, 2, 3}), first({1, 2, 3}));
  const std::vector<std::int64_t> all = {first({1, 2, 3}), first({0, 2, 3}),   first({1, 0, 3}),
                                         first({1, 2, 0}), first({2, 1, 3}),   first({1, 3, 2}),
                                         first({1, 2}),    first({1, 2, 3, 0})};
  for (std::size_t i = 0; i < all.size(); ++i) {
    for (std::size_t k = 0; k < i; ++k) EXPECT_NE(all[i], all[k]) << i << " " << k;
  }
}

TEST(ProblemDraw, ShufflesIntoEveryOrderEvenly) {
  std::map<std::string, std::size_t> orders;
  std::vector<std::int64_t> counts(24);
  ProblemDraw draw({5});
  for (int i = 0; i < 24000; ++i) {
    std::vector<char> items = {'a', 'b', 'c', 'd'};
    draw.shuffle(items);
    const std::size_t order =
        orders.emplace(std::string(items.begin(), items.end()), orders.size()).first->second;
    ASSERT_LT(order, counts.size());
    ++counts[order];
  }
  EXPECT_EQ(orders.size(), 24U);
  EXPECT_LT(std::abs(unevenness(counts)), 6.0);
}

RC_GTEST_PROP(ProblemDraw, PicksDifferentItems, ()) {
  const auto size = *rc::gen::inRange<std::size_t>(0, 50);
  const auto count = *rc::gen::inRange<std::size_t>(0, size + 1);
  std::vector<int> items(size);
  for (std::size_t i = 0; i < size; ++i) items[i] = static_cast<int>(i);
  ProblemDraw draw({*rc::gen::arbitrary<std::uint64_t>()});
  std::vector<int> picked = draw.pick(std::span<const int>(items), count);
  RC_ASSERT(picked.size() == count);
  std::sort(picked.begin(), picked.end());
  RC_ASSERT(std::adjacent_find(picked.begin(), picked.end()) == picked.end());
  for (const int item : picked) RC_ASSERT(item >= 0 && item < static_cast<int>(size));
}

}  // namespace
}  // namespace laconic
