// SPDX-License-Identifier: Apache-2.0
#include "kernels/quantized_rows.h"

#include <gtest/gtest.h>

#include <rapidcheck/gtest.h>
#include <limits>

#include "kernel_testing.h"
#include "kernels/elementwise.h"
#include "quantized_rows_testing.h"

namespace laconic {
namespace {

using test::on_every_target;
using test::random_floats;
using test::row_equal;

void expect_twin(const std::vector<float>& x, std::size_t n, std::size_t cols) {
  Threads threads(2);
  QuantizedRows fast, slow;
  quantize_rows(threads, x.data(), n, cols, fast);
  reference::quantize_rows(x.data(), n, cols, slow);
  ASSERT_EQ(fast.rows(), n);
  for (std::size_t i = 0; i < n; ++i) {
    EXPECT_TRUE(row_equal(fast, slow, i)) << "row " << i << " of " << n << " x " << cols;
  }
}

TEST(QuantizedRows, SameBitsAsTheTwinOnEveryTarget) {
  on_every_target([] {
    for (std::size_t cols : {0u, 32u, 64u, 96u, 1024u}) {
      for (std::size_t n : {0u, 1u, 3u, 4u, 5u, 37u}) {
        for (float spread : {1e-44f, 1e-38f, 1e-30f, 1.0f, 1e30f}) {
          expect_twin(random_floats(n * cols, 1, spread), n, cols);
        }
      }
    }
  });
}

// Half steps: with 127 in the block the scale is 1, and every other value is a tie.
TEST(QuantizedRows, TiesGoToEven) {
  std::vector<float> x(32);
  for (std::size_t i = 0; i < 32; ++i) x[i] = static_cast<float>(i) - 15.5f;
  x[0] = 127.0f;
  Threads threads(1);
  on_every_target([&] {
    QuantizedRows rows;
    quantize_rows(threads, x.data(), 1, 32, rows);
    const QuantizedBlock& block = rows.blocks_of_row(0)[0];
    EXPECT_EQ(block.scales[0], 1.0f);
    int sum = 0;
    for (std::size_t i = 1; i < 32; ++i) {
      EXPECT_EQ(block.values[0][i] % 2, 0) << x[i];
      EXPECT_LE(std::fabs(static_cast<float>(block.values[0][i]) - x[i]), 0.5f);
    }
    for (int value : block.values[0]) sum += value;
    EXPECT_EQ(block.offsets_128[0], -128 * sum);
    EXPECT_EQ(block.offsets_8[0], -8 * sum);
    EXPECT_EQ(block.offsets_32[0][0] + block.offsets_32[1][0], -32 * sum);
    EXPECT_EQ(block.weighted_sums[0], static_cast<float>(sum));
  });
}

TEST(QuantizedRows, WhatIsNotFiniteLosesItsBlockAlone) {
  for (float bad : {std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(),
                    std::numeric_limits<float>::quiet_NaN()}) {
    for (std::size_t at : {32u, 40u, 63u}) {
      std::vector<float> x = random_floats(96, 2);
      x[at] = bad;
      on_every_target([&] {
        expect_twin(x, 1, 96);
        Threads threads(1);
        QuantizedRows rows;
        quantize_rows(threads, x.data(), 1, 96, rows);
        EXPECT_TRUE(std::isfinite(rows.blocks_of_row(0)[0].scales[0]));
        EXPECT_TRUE(std::isnan(rows.blocks_of_row(0)[1].scales[0]));
        EXPECT_TRUE(std::isfinite(rows.blocks_of_row(0)[2].scales[0]));
      });
    }
  }
}

TEST(QuantizedRows, ZerosAndTheSmallestNumbers) {
  for (float value : {0.0f, -0.0f, 1e-45f, 1e-40f, 3.5e-37f}) {
    on_every_target([&] { expect_twin(std::vector<float>(64, value), 1, 64); });
  }
}

TEST(QuantizedRows, FusedNormEqualsNormThenQuantise) {
  Threads threads(2);
  for (std::size_t cols : {32u, 96u, 896u, 1024u}) {
    const std::size_t n = 9;
    const std::vector<float> x = random_floats(n * cols, 3, 4.0f);
    const std::vector<float> weight = random_floats(cols, 4);
    on_every_target([&] {
      std::vector<float> normed(n * cols);
      for (std::size_t i = 0; i < n; ++i) {
        rms_norm(x.data() + i * cols, weight.data(), 1e-6f, cols, normed.data() + i * cols);
      }
      QuantizedRows fused, apart;
      fused.resize(n, cols);
      for (std::size_t i = 0; i < n; ++i) {
        rms_norm_quantize_row(x.data() + i * cols, weight.data(), 1e-6f, fused, i);
      }
      quantize_rows(threads, normed.data(), n, cols, apart);
      for (std::size_t i = 0; i < n; ++i) EXPECT_TRUE(row_equal(fused, apart, i)) << cols;
    });
  }
}

TEST(QuantizedRows, FusedSwigluEqualsSwigluThenQuantise) {
  for (const std::size_t threads_count : {1u, 3u}) {
    Threads threads(threads_count);
    for (const auto& [n, cols] :
         {std::pair<std::size_t, std::size_t>{0, 64}, {1, 32}, {1, 3072}, {3, 160}, {37, 96}}) {
      std::vector<float> gate = random_floats(n * cols, 3, 4.0f), up = random_floats(n * cols, 4);
      if (n > 1) gate[cols + 40] = std::numeric_limits<float>::quiet_NaN();
      on_every_target([&, n = n, cols = cols] {
        std::vector<float> product(n * cols);
        swiglu(gate.data(), up.data(), n * cols, product.data());
        QuantizedRows fused, apart;
        threads.with_team([&] {
          swiglu_quantize_rows(threads, gate.data(), up.data(), n, cols, fused);
          quantize_rows(threads, product.data(), n, cols, apart);
        });
        ASSERT_EQ(fused.rows(), n);
        for (std::size_t i = 0; i < n; ++i) EXPECT_TRUE(row_equal(fused, apart, i)) << cols;
      });
    }
  }
}

TEST(QuantizedRows, ScratchIsReusedAtAnySize) {
  Threads threads(1);
  QuantizedRows reused;
  for (const auto& [n, cols] : {std::pair<std::size_t, std::size_t>{7, 256}, {1, 32}, {4, 512}}) {
    const std::vector<float> x = random_floats(n * cols, 5);
    QuantizedRows fresh;
    quantize_rows(threads, x.data(), n, cols, reused);
    quantize_rows(threads, x.data(), n, cols, fresh);
    for (std::size_t i = 0; i < n; ++i) EXPECT_TRUE(row_equal(reused, fresh, i));
  }
}

RC_GTEST_PROP(QuantizedRowsProperty, ValuesAreWithinHalfAStep, ()) {
  const auto integers = *rc::gen::container<std::vector<int>>(32, rc::gen::inRange(-30000, 30000));
  std::vector<float> x;
  for (int value : integers) x.push_back(static_cast<float>(value) / 128.0f);
  Threads threads(1);
  QuantizedRows rows;
  quantize_rows(threads, x.data(), 1, 32, rows);
  const QuantizedBlock& block = rows.blocks_of_row(0)[0];
  for (std::size_t i = 0; i < 32; ++i) {
    const float restored = block.scales[0] * static_cast<float>(block.values[0][i]);
    RC_ASSERT(std::fabs(restored - x[i]) <= block.scales[0] * 0.50001f);
  }
}

}  // namespace
}  // namespace laconic
