// SPDX-License-Identifier: Apache-2.0
// How sure a share of solved problems is, a difference between two arms on the same problems, and a
// ratio of sums.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace laconic {

struct Interval {
  double low = 0, high = 0;
};

// Score interval of a share at 95% (Wilson, Journal of the American Statistical Association 22,
// 1927). All of [0, 1] when there is no trial.
Interval wilson_interval(std::size_t successes, std::size_t trials);

struct Difference {
  double mean = 0;
  Interval interval;
};

inline constexpr std::size_t kBootstrapResamples = 10000;

// The mean of `gains` [problem] (1: only the second arm solved it, -1: only the first, 0: no
// difference), with the 95% percentile interval of the paired bootstrap (Efron and Tibshirani, An
// Introduction to the Bootstrap, 1993, chapter 13): problems are drawn with replacement, each with
// both of its results. The same seed gives the same interval. PRECONDITION: at least one problem.
Difference paired_difference(std::span<const int> gains, std::uint64_t seed,
                             std::size_t resamples = kBootstrapResamples);

struct Ratio {
  double value = 0;
  Interval interval;
};

// The sum of `tops` [case] over that of `bottoms`, with the 95% percentile interval of the
// bootstrap: cases are drawn with replacement, each with both of its numbers. A mean per step is
// such a ratio where the steps of one text are not independent. The same seed gives the same
// interval. PRECONDITION: as many of both, at least one, and every bottom above 0.
Ratio bootstrap_ratio(std::span<const double> tops, std::span<const double> bottoms,
                      std::uint64_t seed, std::size_t resamples = kBootstrapResamples);

// The least value that at least `percent` % of the values do not exceed. PRECONDITION: at least one
// value, percent in [1, 100].
double percentile(std::vector<double> values, std::size_t percent);

}  // namespace laconic
