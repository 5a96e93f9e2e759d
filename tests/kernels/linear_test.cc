// SPDX-License-Identifier: Apache-2.0
#include "kernels/linear.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "packed_testing.h"

namespace laconic {
namespace {

using test::kAllTypes;
using test::on_every_target;
using test::random_floats;
using test::same_bits;
using test::StoredMatrix;

std::vector<float> decode(Threads& threads, const WeightView& w, const std::vector<float>& x,
                          std::size_t n) {
  std::vector<float> y(n * w.rows, -1.0f);
  linear_decode(threads, w, x.data(), n, y.data());
  return y;
}

std::vector<float> prompt(PromptLinear& linear, const WeightView& w, const std::vector<float>& x,
                          std::size_t n) {
  std::vector<float> y(n * w.rows, -1.0f);
  linear.run(w, x.data(), n, y.data());
  return y;
}

std::vector<float> twin(const WeightView& w, const std::vector<float>& x, std::size_t n) {
  std::vector<float> y(n * w.rows, -1.0f);
  reference::linear(w, x.data(), n, y.data());
  return y;
}

// Rounding of a sum of `cols` products of unit normals in f32: a random walk of `cols` steps among
// partial sums of size sqrt(cols), with room to spare.
double f32_tolerance(std::size_t cols) { return 1e-6 + 1e-7 * static_cast<double>(cols); }

TEST(LinearDecode, EqualsTheTwinOnEveryTarget) {
  Threads threads(1);
  for (DType type : kAllTypes) {
    for (std::size_t cols : {0u, 1u, 3u, 17u, 31u, 32u, 33u, 64u, 96u, 172u, 896u, 1023u}) {
      if (cols % block_elements(type) != 0) continue;
      for (std::size_t rows : {0u, 1u, 2u, 7u, 66u}) {
        const StoredMatrix w(type, rows, cols, 1);
        for (std::size_t n : {0u, 1u, 2u, 3u, 4u, 5u, 9u}) {
          SCOPED_TRACE(std::string(dtype_name(type)) + " " + std::to_string(rows) + "x" +
                       std::to_string(cols) + " n" + std::to_string(n));
          const std::vector<float> x = random_floats(n * cols, 2);
          const std::vector<float> expected = twin(w.view, x, n);
          on_every_target([&] {
            test::expect_close(decode(threads, w.view, x, n), expected, f32_tolerance(cols));
          });
        }
      }
    }
  }
}

TEST(LinearDecode, WidensKQuants) {
  Threads threads(1);
  for (DType type : {DType::kQ4_K, DType::kQ5_K, DType::kQ6_K}) {
    const test::RandomBlocks w(type, 9, 512, 1);
    const std::vector<float> x = random_floats(3 * 512, 2);
    const std::vector<float> expected = twin(w.view, x, 3);
    // Weights up to some hundreds.
    on_every_target([&] { test::expect_close(decode(threads, w.view, x, 3), expected, 0.02); });
  }
}

TEST(LinearDecode, RowInABatchEqualsTheRowAlone) {
  Threads threads(1);
  on_every_target([&] {
    for (DType type : kAllTypes) {
      const std::size_t cols = block_elements(type) > 1 ? 224 : 219;
      const StoredMatrix w(type, 203, cols, 3);
      const std::size_t most = 13;
      const std::vector<float> x = random_floats(most * cols, 4);
      for (std::size_t n = 1; n <= most; ++n) {
        const std::vector<float> together = decode(threads, w.view, x, n);
        for (std::size_t i = 0; i < n; ++i) {
          const auto first = x.begin() + static_cast<std::ptrdiff_t>(i * cols);
          const std::vector<float> one(first, first + static_cast<std::ptrdiff_t>(cols));
          const std::vector<float> alone = decode(threads, w.view, one, 1);
          ASSERT_TRUE(std::equal(alone.begin(), alone.end(),
                                 together.begin() + static_cast<std::ptrdiff_t>(i * w.view.rows)))
              << dtype_name(type) << " row " << i << " of " << n;
        }
      }
    }
  });
}

TEST(LinearDecode, ThreadsDoNotMatter) {
  Threads one(1);
  Threads two(2);
  Threads three(3);
  for (DType type : kAllTypes) {
    const StoredMatrix w(type, 1001, 512, 5);
    const std::vector<float> x = random_floats(3 * 512, 6);
    const std::vector<float> expected = decode(one, w.view, x, 3);
    EXPECT_TRUE(same_bits(decode(two, w.view, x, 3), expected)) << dtype_name(type);
    EXPECT_TRUE(same_bits(decode(three, w.view, x, 3), expected)) << dtype_name(type);
  }
}

// Mapped files promise nothing about where a tensor begins.
TEST(Linear, WeightsMayLieAnywhere) {
  Threads threads(1);
  PromptLinear linear(threads);
  for (DType type : kAllTypes) {
    const std::vector<float> x = random_floats(2 * 160, 7);
    const StoredMatrix straight(type, 37, 160, 8);
    for (std::size_t shift : {1u, 2u, 3u, 7u}) {
      const StoredMatrix shifted(type, 37, 160, 8, shift);
      EXPECT_TRUE(
          same_bits(decode(threads, shifted.view, x, 2), decode(threads, straight.view, x, 2)));
      EXPECT_TRUE(
          same_bits(prompt(linear, shifted.view, x, 2), prompt(linear, straight.view, x, 2)));
    }
  }
}

TEST(LinearDecode, InfinitiesAndNanShow) {
  Threads threads(1);
  on_every_target([&] {
    StoredMatrix w(DType::kF16, 3, 70, 9);
    std::vector<float> x = random_floats(70, 10);
    const float infinity = std::numeric_limits<float>::infinity();
    std::vector<float> row(70, 1.0f);
    row[69] = infinity;
    reference::quantize_row(DType::kF16, row.data(), 70, w.bytes.data());
    row[69] = std::numeric_limits<float>::quiet_NaN();
    reference::quantize_row(DType::kF16, row.data(), 70, w.bytes.data() + 140);
    x[69] = 2.0f;
    const std::vector<float> y = decode(threads, w.view, x, 1);
    EXPECT_EQ(y[0], infinity);
    EXPECT_TRUE(std::isnan(y[1]));
    EXPECT_TRUE(std::isfinite(y[2]));
  });
}

TEST(PromptLinear, EqualsTheTwin) {
  Threads threads(2);
  PromptLinear linear(threads);
  for (DType type : kAllTypes) {
    for (std::size_t cols : {0u, 1u, 31u, 64u, 172u, 896u}) {
      if (cols % block_elements(type) != 0) continue;
      for (std::size_t rows : {0u, 1u, 5u, 129u}) {
        for (std::size_t n : {0u, 1u, 7u, 33u}) {
          SCOPED_TRACE(std::string(dtype_name(type)) + " " + std::to_string(rows) + "x" +
                       std::to_string(cols) + " n" + std::to_string(n));
          const StoredMatrix w(type, rows, cols, 11);
          const std::vector<float> x = random_floats(n * cols, 12);
          // Two bf16 halves keep 16 bits: errors of 2^-17 that add up like a random walk.
          const double tolerance = type == DType::kBF16
                                       ? 4e-5 * std::sqrt(static_cast<double>(cols) + 1)
                                       : f32_tolerance(cols);
          test::expect_close(prompt(linear, w.view, x, n), twin(w.view, x, n), tolerance);
        }
      }
    }
  }
}

// Wider than one panel of dequantised weights.
TEST(PromptLinear, PanelsJoin) {
  Threads threads(2);
  PromptLinear linear(threads);
  const StoredMatrix w(DType::kQ4_0, 300, 8192, 13);
  const std::vector<float> x = random_floats(2 * 8192, 14);
  test::expect_close(prompt(linear, w.view, x, 2), twin(w.view, x, 2), f32_tolerance(8192));
}

// What linear.h says about oneDNN: rows do not depend on the chunk, nor on the threads.
TEST(PromptLinear, ChunksAndThreadsDoNotMatter) {
  Threads one(1);
  Threads two(2);
  PromptLinear with_one(one);
  PromptLinear with_two(two);
  for (DType type : {DType::kF32, DType::kBF16, DType::kQ8_0}) {
    for (const auto& [rows, cols] :
         {std::pair<std::size_t, std::size_t>{172, 64}, {64, 192}, {300, 896}}) {
      const std::size_t most = 130;
      const StoredMatrix w(type, rows, cols, 15);
      const std::vector<float> x = random_floats(most * cols, 16);
      const std::vector<float> whole = prompt(with_two, w.view, x, most);
      for (std::size_t n : {1u, 2u, 6u, 7u, 16u, 17u, 33u, 64u, 65u, 100u, 129u}) {
        const auto end = static_cast<std::ptrdiff_t>(n * rows);
        const std::vector<float> expected(whole.begin(), whole.begin() + end);
        EXPECT_TRUE(same_bits(prompt(with_two, w.view, x, n), expected))
            << dtype_name(type) << " " << rows << "x" << cols << " n" << n;
        EXPECT_TRUE(same_bits(prompt(with_one, w.view, x, n), expected))
            << dtype_name(type) << " " << rows << "x" << cols << " n" << n << ", one thread";
      }
    }
  }
}

TEST(PromptLinear, MoreShapesThanItKeeps) {
  Threads threads(1);
  PromptLinear linear(threads);
  const StoredMatrix w(DType::kF32, 8, 16, 17);
  const std::vector<float> x = random_floats(150 * 16, 18);
  const std::vector<float> whole = twin(w.view, x, 150);
  for (int round = 0; round < 2; ++round) {
    for (std::size_t n = 1; n <= 150; ++n) {
      const std::vector<float> expected(whole.begin(),
                                        whole.begin() + static_cast<std::ptrdiff_t>(n * 8));
      test::expect_close(prompt(linear, w.view, x, n), expected, 1e-5);
    }
  }
}

TEST(DequantizeRow, PicksTheRow) {
  for (DType type : kAllTypes) {
    const StoredMatrix w(type, 5, 64, 19);
    std::vector<float> fast(64);
    std::vector<float> slow(64);
    for (std::size_t r = 0; r < 5; ++r) {
      dequantize_row(w.view, r, fast.data());
      reference::dequantize_row(w.view, r, slow.data());
      EXPECT_TRUE(same_bits(fast, slow)) << dtype_name(type) << " row " << r;
    }
  }
}

}  // namespace
}  // namespace laconic
