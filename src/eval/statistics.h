// SPDX-License-Identifier: Apache-2.0
// How sure a share of solved problems is, and a difference between two arms on the same problems.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

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

}  // namespace laconic
