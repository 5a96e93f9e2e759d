// SPDX-License-Identifier: Apache-2.0
#include "eval/statistics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <vector>

namespace laconic {
namespace {

// Values of the score method in Newcombe, Statistics in Medicine 17, 1998, table I.
TEST(Wilson, AsPublished) {
  struct Row {
    std::size_t successes, trials;
    double low, high;
  };
  for (const Row& row : {Row{81, 263, 0.2553, 0.3662}, Row{15, 148, 0.0624, 0.1605},
                         Row{0, 20, 0.0000, 0.1611}, Row{1, 29, 0.0061, 0.1718}}) {
    const Interval interval = wilson_interval(row.successes, row.trials);
    EXPECT_NEAR(interval.low, row.low, 5e-5) << row.successes;
    EXPECT_NEAR(interval.high, row.high, 5e-5) << row.successes;
  }
}

TEST(Wilson, MirrorsAndEnds) {
  for (std::size_t n : {1u, 7u, 500u}) {
    for (std::size_t k = 0; k <= n; ++k) {
      const Interval a = wilson_interval(k, n), b = wilson_interval(n - k, n);
      EXPECT_NEAR(a.low, 1 - b.high, 1e-12);
      EXPECT_LE(0, a.low);
      EXPECT_LE(a.high, 1);
      EXPECT_LE(a.low, static_cast<double>(k) / static_cast<double>(n));
    }
  }
  EXPECT_EQ(wilson_interval(0, 5).low, 0);
  EXPECT_EQ(wilson_interval(5, 5).high, 1);
  EXPECT_EQ(wilson_interval(0, 0).low, 0);
  EXPECT_EQ(wilson_interval(0, 0).high, 1);
}

// Distribution of the sum of n draws with replacement from n gains, by convolution.
std::map<int, double> exact_sums(const std::vector<int>& gains) {
  const double chance = 1.0 / static_cast<double>(gains.size());
  std::map<int, double> sums = {{0, 1.0}};
  for (std::size_t draw = 0; draw < gains.size(); ++draw) {
    std::map<int, double> next;
    for (const auto& [sum, weight] : sums) {
      for (const int gain : gains) next[sum + gain] += weight * chance;
    }
    sums = std::move(next);
  }
  return sums;
}

double exact_quantile(const std::map<int, double>& sums, double level, std::size_t n) {
  double below = 0;
  for (const auto& [sum, weight] : sums) {
    below += weight;
    if (below >= level) return sum / static_cast<double>(n);
  }
  return sums.rbegin()->first / static_cast<double>(n);
}

TEST(Bootstrap, AgreesWithEveryResampleOfSmallCases) {
  const std::vector<std::vector<int>> cases = {
      {1, 0, -1}, {1, 0, 0, 0}, {-1, -1, 0, 0, 0, 1}, {1, 1, 0, 0, 0, 0, 0, 0, 0, 0}, {0, 0, 0}};
  for (const std::vector<int>& gains : cases) {
    const auto sums = exact_sums(gains);
    const auto quantile = [&](double level) { return exact_quantile(sums, level, gains.size()); };
    const Difference found = paired_difference(gains, 3);
    // Between the exact quantiles half a percent to either side: six standard errors.
    EXPECT_LE(quantile(0.020), found.interval.low);
    EXPECT_GE(quantile(0.030), found.interval.low);
    EXPECT_LE(quantile(0.970), found.interval.high);
    EXPECT_GE(quantile(0.980), found.interval.high);
  }
}

TEST(Bootstrap, AKnownBinomial) {
  // Sums of ten draws with two ones: P(0) = 10.7%, P(<= 4) = 96.7%, P(<= 5) = 99.4%.
  const std::vector<int> gains = {1, 1, 0, 0, 0, 0, 0, 0, 0, 0};
  const Difference found = paired_difference(gains, 0);
  EXPECT_EQ(found.mean, 0.2);
  EXPECT_EQ(found.interval.low, 0);
  EXPECT_EQ(found.interval.high, 0.5);
}

TEST(Bootstrap, TheSeedFixesIt) {
  std::vector<int> gains;
  for (int i = 0; i < 400; ++i) gains.push_back(i % 7 == 0 ? -1 : i % 11 == 0 ? 1 : 0);
  const Difference once = paired_difference(gains, 5), again = paired_difference(gains, 5);
  EXPECT_EQ(once.interval.low, again.interval.low);
  EXPECT_EQ(once.interval.high, again.interval.high);
  // The normal approximation is near.
  double mean = 0, squares = 0;
  for (const int gain : gains) {
    mean += gain / 400.0;
    squares += gain * gain / 400.0;
  }
  const double half = 1.96 * std::sqrt((squares - mean * mean) / 400.0);
  EXPECT_NEAR(once.mean, mean, 1e-12);
  EXPECT_NEAR(once.interval.low, mean - half, 0.006);
  EXPECT_NEAR(once.interval.high, mean + half, 0.006);
}

TEST(BootstrapRatio, EqualBottomsGiveTheMean) {
  std::vector<int> gains;
  std::vector<double> tops, bottoms;
  for (int i = 0; i < 200; ++i) {
    gains.push_back(i % 5 == 0 ? -1 : i % 3 == 0 ? 1 : 0);
    tops.push_back(gains.back());
    bottoms.push_back(1);
  }
  const Difference expected = paired_difference(gains, 9);
  const Ratio found = bootstrap_ratio(tops, bottoms, 9);
  EXPECT_NEAR(found.value, expected.mean, 1e-12);
  EXPECT_NEAR(found.interval.low, expected.interval.low, 1e-12);
  EXPECT_NEAR(found.interval.high, expected.interval.high, 1e-12);
}

TEST(BootstrapRatio, SumsAreDivided) {
  const std::vector<double> tops = {1, 30}, bottoms = {1, 10};
  const Ratio found = bootstrap_ratio(tops, bottoms, 1);
  EXPECT_DOUBLE_EQ(found.value, 31.0 / 11);
  // Both ends are drawn a quarter of the time.
  EXPECT_DOUBLE_EQ(found.interval.low, 1);
  EXPECT_DOUBLE_EQ(found.interval.high, 3);
  const std::vector<double> one = {6}, two = {4};
  EXPECT_EQ(bootstrap_ratio(one, two, 1).interval.low, 1.5);
}

TEST(Percentile, NearestRank) {
  std::vector<double> values;
  for (int i = 100; i >= 1; --i) values.push_back(i);
  EXPECT_EQ(percentile(values, 99), 99);
  EXPECT_EQ(percentile(values, 100), 100);
  EXPECT_EQ(percentile(values, 1), 1);
  values.push_back(1000);
  EXPECT_EQ(percentile(values, 99), 100);
  EXPECT_EQ(percentile({7}, 1), 7);
  EXPECT_EQ(percentile({3, 1, 2}, 50), 2);
}

}  // namespace
}  // namespace laconic
