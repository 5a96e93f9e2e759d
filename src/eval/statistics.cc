// SPDX-License-Identifier: Apache-2.0
#include "eval/statistics.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <numeric>
#include <random>
#include <vector>

namespace laconic {
namespace {

constexpr double kNormal975 = 1.959963984540054;  // 97.5% quantile of the normal distribution
constexpr std::size_t kTailDivisor = 40;          // 2.5% on either side

}  // namespace

Interval wilson_interval(std::size_t successes, std::size_t trials) {
  if (trials == 0) return {0, 1};
  const auto n = static_cast<double>(trials);
  const double share = static_cast<double>(successes) / n, z2 = kNormal975 * kNormal975;
  const double centre = share + z2 / (2 * n);
  const double half = kNormal975 * std::sqrt(share * (1 - share) / n + z2 / (4 * n * n));
  const double scale = 1 + z2 / n;
  // At the ends the formula gives exactly 0 and 1, but for rounding.
  return {successes == 0 ? 0 : (centre - half) / scale,
          successes == trials ? 1 : (centre + half) / scale};
}

Difference paired_difference(std::span<const int> gains, std::uint64_t seed,
                             std::size_t resamples) {
  assert(!gains.empty() && resamples > 0);
  const std::size_t n = gains.size();
  std::mt19937_64 random(seed);  // fully specified, unlike the distributions of the library
  std::vector<std::int64_t> sums(resamples);
  for (std::int64_t& sum : sums) {
    for (std::size_t i = 0; i < n; ++i) sum += gains[random() % n];
  }
  std::sort(sums.begin(), sums.end());
  const std::size_t tail = resamples / kTailDivisor;
  const auto mean = [n](std::int64_t sum) {
    return static_cast<double>(sum) / static_cast<double>(n);
  };
  const std::int64_t total = std::accumulate(gains.begin(), gains.end(), std::int64_t{0});
  return {mean(total), {mean(sums[tail]), mean(sums[resamples - 1 - tail])}};
}

Ratio bootstrap_ratio(std::span<const double> tops, std::span<const double> bottoms,
                      std::uint64_t seed, std::size_t resamples) {
  assert(!tops.empty() && tops.size() == bottoms.size() && resamples > 0);
  const std::size_t n = tops.size();
  std::mt19937_64 random(seed);
  std::vector<double> ratios(resamples);
  for (double& ratio : ratios) {
    double top = 0, bottom = 0;
    for (std::size_t i = 0; i < n; ++i) {
      const std::size_t drawn = random() % n;
      top += tops[drawn];
      bottom += bottoms[drawn];
    }
    ratio = top / bottom;
  }
  std::sort(ratios.begin(), ratios.end());
  const std::size_t tail = resamples / kTailDivisor;
  const double top = std::accumulate(tops.begin(), tops.end(), 0.0);
  const double bottom = std::accumulate(bottoms.begin(), bottoms.end(), 0.0);
  return {top / bottom, {ratios[tail], ratios[resamples - 1 - tail]}};
}

double percentile(std::vector<double> values, std::size_t percent) {
  assert(!values.empty() && percent >= 1 && percent <= 100);
  const std::size_t rank = (values.size() * percent + 99) / 100;  // from 1
  const auto place = values.begin() + static_cast<std::ptrdiff_t>(rank - 1);
  std::nth_element(values.begin(), place, values.end());
  return *place;
}

}  // namespace laconic
