// SPDX-License-Identifier: Apache-2.0
// What the kernel tests share: every SIMD target in turn, random data, stored weights.
#pragma once

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "kernels/quantize.h"
#include "kernels/system.h"
#include "kernels/weight_view.h"

namespace laconic::test {

inline constexpr DType kAllTypes[] = {DType::kF32, DType::kF16, DType::kBF16, DType::kQ8_0,
                                      DType::kQ4_0};
inline constexpr DType kRowTypes[] = {DType::kF32, DType::kF16, DType::kBF16, DType::kQ8_0};

// n, or the next size that rows of that type can have.
constexpr std::size_t fitting(DType type, std::size_t n) {
  const std::size_t block = block_elements(type);
  return (n + block - 1) / block * block;
}

// Runs `check` once per target that this build and this CPU share; ends on the best one.
template <typename Check>
void on_every_target(Check&& check) {
  const std::vector<std::string> targets = simd_target().available;
  ASSERT_FALSE(targets.empty());
  for (const std::string& target : targets) {
    SCOPED_TRACE(target);
    force_simd_target(target);
    check();
  }
  force_simd_target(targets.front());
}

inline std::vector<float> random_floats(std::size_t n, std::uint32_t seed, float spread = 1.0f) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal(0.0f, spread);
  std::vector<float> out(n);
  for (float& value : out) value = normal(generator);
  return out;
}

// A random matrix in a stored type, `shift` bytes off the allocation's alignment.
struct StoredMatrix {
  StoredMatrix(DType type, std::size_t rows, std::size_t cols, std::uint32_t seed,
               std::size_t shift = 0)
      : bytes(rows * row_bytes(type, cols) + shift) {
    const std::vector<float> values = random_floats(rows * cols, seed);
    for (std::size_t r = 0; r < rows; ++r) {
      reference::quantize_row(type, values.data() + r * cols, cols,
                              bytes.data() + shift + r * row_bytes(type, cols));
    }
    view = {type, bytes.data() + shift, rows, cols};
  }

  std::vector<std::byte> bytes;
  WeightView view;
};

inline bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (std::bit_cast<std::uint32_t>(a[i]) != std::bit_cast<std::uint32_t>(b[i])) return false;
  }
  return true;
}

// |a - b| <= tolerance * (1 + |b|) everywhere, and NaN only where there is NaN.
inline void expect_close(const std::vector<float>& a, const std::vector<float>& b,
                         double tolerance) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (std::isnan(b[i]) || std::isinf(b[i])) {
      ASSERT_EQ(std::isnan(a[i]), std::isnan(b[i])) << "at " << i << ": " << a[i] << ", " << b[i];
      if (std::isinf(b[i])) {
        ASSERT_EQ(a[i], b[i]) << "at " << i;
      }
    } else {
      ASSERT_LE(std::fabs(static_cast<double>(a[i]) - b[i]), tolerance * (1 + std::fabs(b[i])))
          << "at " << i << ": " << a[i] << ", " << b[i];
    }
  }
}

}  // namespace laconic::test
