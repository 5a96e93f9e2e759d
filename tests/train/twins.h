// SPDX-License-Identifier: Apache-2.0
// What the tests of the CPU loops share: random arrays in both storage types, every SIMD target in
// turn, a number of threads, and how close a loop must be to its twin.
#pragma once

#include <gtest/gtest.h>

#ifdef _OPENMP
#include <omp.h>
#endif

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <random>
#include <type_traits>
#include <vector>

#include "base/half.h"
#include "train/simd_target.h"

namespace laconic::test {

inline float widen(float x) { return x; }
inline float widen(std::uint16_t x) { return float_from_bf16(x); }

template <typename T>
std::vector<T> random_values(std::size_t n, std::uint32_t seed, float spread = 1.0f) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal(0.0f, spread);
  std::vector<T> values(n);
  for (T& value : values) {
    if constexpr (std::is_same_v<T, float>)
      value = normal(generator);
    else
      value = bf16_from_float(normal(generator));
  }
  return values;
}

// Sums in f32 are off by their terms' size; a bf16 result may land on the other side of a tie.
template <typename T>
void expect_close(const std::vector<T>& got, const std::vector<T>& want, const char* what,
                  double tolerance = 2e-5) {
  ASSERT_EQ(got.size(), want.size());
  const double relative = std::is_same_v<T, float> ? tolerance : tolerance + 0x1p-7;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double a = static_cast<double>(widen(got[i])), b = static_cast<double>(widen(want[i]));
    if (a == b) continue;
    ASSERT_LE(std::abs(a - b), tolerance + relative * std::abs(b)) << what << " at " << i;
  }
}

template <typename Check>
void on_every_target(const Check& check) {
  for (const train::SimdTarget target : train::available_simd_targets()) {
    SCOPED_TRACE(static_cast<int>(target));
    check(target);
  }
}

// Runs body with so many threads, then puts the number back. One thread is the choice for many
// small comparisons: on a busy machine a team waits longer than it works.
template <typename Body>
void with_threads([[maybe_unused]] int threads, const Body& body) {
#ifdef _OPENMP
  const int before = omp_get_max_threads();
  omp_set_num_threads(threads);
  body();
  omp_set_num_threads(before);
#else
  body();
#endif
}

}  // namespace laconic::test
