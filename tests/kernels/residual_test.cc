// SPDX-License-Identifier: Apache-2.0
#include "kernels/residual.h"

#include <gtest/gtest.h>

#include <limits>

#include "kernel_testing.h"
#include "kernels/elementwise.h"
#include "quantized_rows_testing.h"

namespace laconic {
namespace {

using test::on_every_target;
using test::random_floats;
using test::row_equal;
using test::same_bits;

constexpr float kEps = 1e-6f;

// Rows of a stream and what is done to them.
struct Rows {
  Rows(std::size_t rows, std::size_t columns)
      : n(rows),
        cols(columns),
        x(random_floats(n * cols, 1, 4.0f)),
        delta(random_floats(n * cols, 2)),
        bias(random_floats(cols, 3)),
        weight(random_floats(cols, 4)) {}

  std::size_t n, cols;
  std::vector<float> x, delta, bias, weight;
};

// One operation after the other, on all rows.
struct Apart {
  explicit Apart(Threads& threads, const Rows& r, bool add, bool bias)
      : x(r.x), normed(r.n * r.cols) {
    for (std::size_t i = 0; i < r.n; ++i) {
      std::vector<float> delta(r.delta.begin() + static_cast<std::ptrdiff_t>(i * r.cols),
                               r.delta.begin() + static_cast<std::ptrdiff_t>((i + 1) * r.cols));
      if (bias) add_in_place(delta.data(), r.bias.data(), r.cols);
      float* row = x.data() + i * r.cols;
      if (add) add_in_place(row, delta.data(), r.cols);
      rms_norm(row, r.weight.data(), kEps, r.cols, normed.data() + i * r.cols);
    }
    if (r.cols % kQuantBlock == 0) quantize_rows(threads, normed.data(), r.n, r.cols, quantized);
  }

  std::vector<float> x, normed;
  QuantizedRows quantized;
};

void expect_the_same(Threads& threads, const Rows& rows, bool add, bool bias, bool as_int8,
                     bool as_f32) {
  Apart apart(threads, rows, add, bias);
  std::vector<float> x = rows.x, normed(rows.x.size());
  QuantizedRows quantized;
  EXPECT_TRUE(run_stage(threads, {.x = x.data(),
                                  .n = rows.n,
                                  .cols = rows.cols,
                                  .delta = add ? rows.delta.data() : nullptr,
                                  .bias = bias ? rows.bias.data() : nullptr,
                                  .norm = as_int8 || as_f32 ? rows.weight.data() : nullptr,
                                  .eps = kEps,
                                  .quantized = as_int8 ? &quantized : nullptr,
                                  .normed = as_f32 ? normed.data() : nullptr}));
  EXPECT_TRUE(same_bits(x, apart.x));
  if (as_f32) {
    EXPECT_TRUE(same_bits(normed, apart.normed));
  }
  if (!as_int8) return;
  ASSERT_EQ(quantized.rows(), rows.n);
  for (std::size_t i = 0; i < rows.n; ++i) EXPECT_TRUE(row_equal(quantized, apart.quantized, i));
}

TEST(ResidualStage, GivesTheBitsOfItsParts) {
  on_every_target([] {
    for (const std::size_t count : {1u, 3u}) {
      Threads threads(count);
      for (const std::size_t n : {0u, 1u, 5u, 37u}) {
        for (const std::size_t cols : {32u, 96u, 1024u}) {
          const Rows rows(n, cols);
          for (int form = 0; form < 4; ++form) {
            const bool as_int8 = form % 2 == 1, as_f32 = form / 2 == 1;
            threads.with_team([&] {
              expect_the_same(threads, rows, false, false, as_int8, as_f32);
              expect_the_same(threads, rows, true, false, as_int8, as_f32);
              expect_the_same(threads, rows, true, true, as_int8, as_f32);
            });
          }
        }
        expect_the_same(threads, Rows(n, 37), true, true, /*as_int8=*/false, /*as_f32=*/true);
      }
    }
  });
}

TEST(ResidualStage, SeesARowThatIsNotFinite) {
  constexpr std::size_t kRows = 33, kCols = 256;
  Threads threads(3);
  for (const std::size_t lost : {0u, 16u, 32u}) {
    for (const bool in_delta : {false, true}) {
      Rows rows(kRows, kCols);
      (in_delta ? rows.delta : rows.x)[lost * kCols + 7] = std::numeric_limits<float>::infinity();
      EXPECT_FALSE(run_stage(
          threads, {.x = rows.x.data(), .n = kRows, .cols = kCols, .delta = rows.delta.data()}));
      EXPECT_FALSE(run_stage(threads, {.x = rows.x.data(), .n = kRows, .cols = kCols}));
    }
  }
}

}  // namespace
}  // namespace laconic
