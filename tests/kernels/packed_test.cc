// SPDX-License-Identifier: Apache-2.0
#include "kernels/packed.h"

#include <gtest/gtest.h>

#include <rapidcheck/gtest.h>
#include <algorithm>
#include <limits>

#include "kernels/k_quants.h"
#include "packed_testing.h"

namespace laconic {
namespace {

using test::kPackedTypes;
using test::on_every_target;
using test::random_floats;
using test::RandomMatrix;
using test::same_bits;

constexpr float kUntouched = -12345.0f;

std::vector<float> product(Threads& threads, const PackedMatrix& w, const std::vector<float>& x,
                           std::size_t n) {
  // Tiles are rounded up: what an earlier and longer batch left behind the rows must not show, and
  // nothing is written behind theirs.
  constexpr std::size_t kMore = 15;
  const PackedView& view = w.view();
  std::vector<float> y((n + kMore) * view.rows, kUntouched);
  const PackedProduct wanted{view, y.data(), view.rows};
  if (reads_quantized_rows(view.type)) {
    const std::vector<float> lost((n + kMore) * view.cols, std::numeric_limits<float>::quiet_NaN());
    QuantizedRows rows;
    quantize_rows(threads, lost.data(), n + kMore, view.cols, rows);
    quantize_rows(threads, x.data(), n, view.cols, rows);
    packed_products(threads, {&wanted, 1}, rows);
  } else {
    packed_products(threads, {&wanted, 1}, x.data(), n);
  }
  const auto end = y.begin() + static_cast<std::ptrdiff_t>(n * view.rows);
  EXPECT_TRUE(std::all_of(end, y.end(), [](float value) { return value == kUntouched; }));
  y.erase(end, y.end());
  return y;
}

std::vector<float> twin(const PackedMatrix& w, const std::vector<float>& x, std::size_t n) {
  const PackedView& view = w.view();
  std::vector<float> y(n * view.rows, kUntouched);
  if (reads_quantized_rows(view.type)) {
    QuantizedRows rows;
    reference::quantize_rows(x.data(), n, view.cols, rows);
    reference::packed_product(view, rows.view(), y.data(), view.rows);
  } else {
    reference::packed_product(view, x.data(), n, y.data(), view.rows);
  }
  return y;
}

// Roundings of an f32 sum, each of at most 2^-24 of the sum of magnitudes: one for each block, with
// a product of scales rounded once (twice that for targets that round products too, and for
// minima), or for each column.
double roundings(const WeightView& w) {
  const std::size_t terms = reads_quantized_rows(w.type) ? w.cols / kQuantBlock : w.cols / 2;
  return 0x1p-24 * 4 * static_cast<double>(terms + 2);
}

// Against exact sums.
void expect_close_to_twin(Threads& threads, const WeightView& view, std::size_t n,
                          std::uint32_t seed) {
  const PackedMatrix w = PackedMatrix::pack(threads, view);
  const std::vector<float> x = random_floats(n * view.cols, seed);
  const std::vector<float> expected = twin(w, x, n);
  const std::vector<float> y = product(threads, w, x, n);
  const double step = roundings(view);
  std::vector<float> weights(view.cols);
  for (std::size_t r = 0; r < view.rows; ++r) {
    dequantize_row(view, r, weights.data());
    for (std::size_t i = 0; i < n; ++i) {
      double magnitude = 0;
      for (std::size_t k = 0; k < view.cols; ++k) {
        magnitude += std::fabs(static_cast<double>(weights[k]) * x[i * view.cols + k]);
      }
      // A minimum is subtracted from a larger product: 4 covers what cancels in the weight itself.
      ASSERT_NEAR(y[i * view.rows + r], expected[i * view.rows + r], 4 * step * magnitude + 1e-30)
          << "row " << r << " of activation " << i;
    }
  }
}

TEST(PackedProduct, EqualsTheTwinOnEveryTarget) {
  Threads threads(1);
  on_every_target([&] {
    for (DType type : kPackedTypes) {
      const std::size_t unit = test::unit_columns(type);
      for (std::size_t units : {0u, 1u, 2u, 3u, 5u}) {
        for (std::size_t rows : {0u, 1u, 15u, 16u, 17u, 40u}) {
          for (std::size_t n : {0u, 1u, 2u, 3u, 4u, 5u, 6u, 7u, 8u, 12u, 27u}) {
            SCOPED_TRACE(std::string(dtype_name(type)) + " " + std::to_string(rows) + "x" +
                         std::to_string(units * unit) + " n" + std::to_string(n));
            const RandomMatrix w(type, rows, units * unit, 1);
            expect_close_to_twin(threads, w.view, n, 2);
          }
        }
      }
    }
  });
}

TEST(PackedProduct, TheSameBitsAnywhereInABatch) {
  Threads threads(1);
  on_every_target([&] {
    for (DType type : kPackedTypes) {
      const std::size_t cols = 3 * test::unit_columns(type), most = 29;
      const RandomMatrix source(type, 51, cols, 3);
      const PackedMatrix w = PackedMatrix::pack(threads, source.view);
      const std::vector<float> x = random_floats(most * cols, 4);
      const std::vector<float> all = product(threads, w, x, most);
      for (std::size_t n : {1u, 2u, 3u, 4u, 7u, 11u, 12u, 13u, 16u, 23u}) {
        for (std::size_t first : {std::size_t{0}, std::size_t{1}, std::size_t{5}, most - n}) {
          if (first + n > most) continue;
          const auto from = x.begin() + static_cast<std::ptrdiff_t>(first * cols);
          const std::vector<float> some(from, from + static_cast<std::ptrdiff_t>(n * cols));
          const auto in_all = all.begin() + static_cast<std::ptrdiff_t>(first * 51);
          const std::vector<float> expected(in_all, in_all + static_cast<std::ptrdiff_t>(n * 51));
          EXPECT_TRUE(same_bits(product(threads, w, some, n), expected))
              << dtype_name(type) << " rows " << first << " to " << first + n;
        }
      }
    }
  });
}

TEST(PackedProduct, TheSameBitsOnTargetsThatFuse) {
  Threads threads(1);
  for (DType type : kPackedTypes) {
    const RandomMatrix source(type, 37, 1024, 5);
    const PackedMatrix w = PackedMatrix::pack(threads, source.view);
    const std::vector<float> x = random_floats(14 * 1024, 6);
    std::vector<float> first;
    on_every_target([&] {
      const std::vector<float> y = product(threads, w, x, 14);
      if (!test::fuses_multiply_add(simd_target().name)) return;
      if (first.empty()) first = y;
      EXPECT_TRUE(same_bits(y, first)) << dtype_name(type);
    });
  }
}

TEST(PackedProduct, ThreadsDoNotMatter) {
  Threads one(1);
  for (DType type : kPackedTypes) {
    const RandomMatrix source(type, 1003, 512, 7);
    const PackedMatrix w = PackedMatrix::pack(one, source.view);
    for (std::size_t n : {1u, 13u}) {
      const std::vector<float> x = random_floats(n * 512, 8);
      const std::vector<float> expected = product(one, w, x, n);
      for (std::size_t count : {2u, 3u, 4u}) {
        Threads threads(count);
        const PackedMatrix again = PackedMatrix::pack(threads, source.view);
        EXPECT_TRUE(same_bits(product(threads, again, x, n), expected)) << dtype_name(type);
        // A team cuts ranges finer and hands the pieces out in any order.
        threads.with_team([&] {
          EXPECT_TRUE(same_bits(product(threads, again, x, n), expected)) << dtype_name(type);
        });
      }
    }
  }
}

// More weights than stay in the cache at once: the range is cut into chunks.
TEST(PackedProduct, ChunksJoin) {
  Threads threads(1);
  const RandomMatrix source(DType::kQ8_0, 330, 4096, 9);
  expect_close_to_twin(threads, source.view, 14, 10);
  for (DType type : test::kPlainTypes) {
    const RandomMatrix odd(type, 330, 1023, 9);
    expect_close_to_twin(threads, odd.view, 14, 10);
  }
}

// One parallel region for matrices of different types and heights.
template <std::size_t kTypes, typename Multiply>
void expect_each_alone(const DType (&types)[kTypes], std::size_t count, Multiply multiply) {
  const std::size_t cols = 512, n = 5;
  Threads threads(count);
  const std::vector<float> x = random_floats(n * cols, 11);
  std::vector<PackedMatrix> matrices;
  std::vector<std::vector<float>> outputs;
  std::vector<PackedProduct> products;
  std::uint32_t seed = 12;
  for (DType type : types) {
    for (std::size_t height : {1u, 640u, 0u, 130u}) {
      const RandomMatrix source(type, height, cols, seed++);
      matrices.push_back(PackedMatrix::pack(threads, source.view));
      outputs.emplace_back(n * (height + 3), kUntouched);
    }
  }
  for (std::size_t i = 0; i < matrices.size(); ++i) {
    const PackedView& w = matrices[i].view();
    products.push_back({w, outputs[i].data(), w.rows + 3});
  }
  multiply(threads, products, x, n);
  for (std::size_t i = 0; i < matrices.size(); ++i) {
    const std::size_t height = matrices[i].view().rows;
    const std::vector<float> alone = product(threads, matrices[i], x, n);
    for (std::size_t t = 0; t < n; ++t) {
      const float* y = outputs[i].data() + t * (height + 3);
      EXPECT_TRUE(std::equal(y, y + height, alone.data() + t * height)) << i;
      for (std::size_t r = height; r < height + 3; ++r) EXPECT_EQ(y[r], kUntouched) << i;
    }
  }
}

TEST(PackedProduct, MatricesOfOneRegionEqualEachAlone) {
  for (std::size_t count : {1u, 3u}) {
    expect_each_alone(test::kBlockTypes, count,
                      [](Threads& threads, const std::vector<PackedProduct>& products,
                         const std::vector<float>& x, std::size_t n) {
                        QuantizedRows rows;
                        quantize_rows(threads, x.data(), n, x.size() / n, rows);
                        packed_products(threads, products, rows);
                      });
    expect_each_alone(test::kPlainTypes, count,
                      [](Threads& threads, const std::vector<PackedProduct>& products,
                         const std::vector<float>& x,
                         std::size_t n) { packed_products(threads, products, x.data(), n); });
  }
}

// A matrix that holds one number everywhere, and what its fields decode to with scales of 1 and
// minima of 0.
struct EqualWeights {
  DType type;
  unsigned bits;  // of each weight, as stored
  int value;
};

RandomMatrix equal_weights(const EqualWeights& w, std::size_t rows, std::size_t cols) {
  RandomMatrix source(w.type, rows, cols, 13);
  // Every field of more than a byte's half holds equal halves, so that one byte says it all.
  const auto fill = static_cast<std::byte>(
      w.type == DType::kQ8_0 ? w.bits : (w.bits & 15u) | (w.bits & 15u) << 4);
  const auto upper = static_cast<std::byte>(w.bits > 15u ? 0xffu : 0u);
  for (std::size_t at = 0; at < source.bytes.size(); at += block_bytes(w.type)) {
    std::byte* block = source.bytes.data() + at;
    std::fill_n(block, block_bytes(w.type), fill);
    if (w.type == DType::kQ6_K) {
      std::fill_n(block + kQ6KBitsAt, kKBlock / 4, upper);
      std::fill_n(block + kQ6KScalesAt, kKBlock / 16, std::byte{1});
    } else if (w.type == DType::kQ4_K || w.type == DType::kQ5_K) {
      // Six bits each: scales 0 to 3, minima 0 to 3, then scale 4 + i in the low half of byte i.
      for (std::size_t i = 0; i < 12; ++i) {
        block[kKScalesAt + i] = std::byte{i / 4 == 1 ? std::uint8_t{0} : std::uint8_t{1}};
      }
      if (w.type == DType::kQ5_K) std::fill_n(block + kQ5KBitsAt, kKBlock / 8, upper);
    }
    for (const std::size_t place : test::scale_places(w.type)) {
      test::set_half(block + place, place == kKMinimumAt ? 0.0f : 1.0f);
    }
  }
  return source;
}

// The largest sums that a block can have, exactly: nothing saturates.
TEST(PackedProduct, ExtremeWeightsAreExact) {
  const EqualWeights extremes[] = {
      {DType::kQ8_0, 0x80, -128}, {DType::kQ8_0, 0x7f, 127}, {DType::kQ8_0, 0, 0},
      {DType::kQ8_0, 0xff, -1},   {DType::kQ4_0, 0, -8},     {DType::kQ4_0, 15, 7},
      {DType::kQ4_K, 0, 0},       {DType::kQ4_K, 15, 15},    {DType::kQ5_K, 0, 0},
      {DType::kQ5_K, 31, 31},     {DType::kQ6_K, 0, -32},    {DType::kQ6_K, 63, 31}};
  Threads threads(1);
  const std::size_t cols = 512;
  for (const EqualWeights& extreme : extremes) {
    const RandomMatrix source = equal_weights(extreme, 17, cols);
    std::vector<float> stored(cols);
    dequantize_row(source.view, 16, stored.data());
    for (float weight : stored) ASSERT_EQ(weight, static_cast<float>(extreme.value));
    for (int x : {127, -127}) {
      for (std::size_t n : {1u, 13u}) {
        const std::vector<float> rows(n * cols, static_cast<float>(x));
        on_every_target([&] {
          const PackedMatrix w = PackedMatrix::pack(threads, source.view);
          for (float y : product(threads, w, rows, n)) {
            ASSERT_EQ(y, static_cast<float>(static_cast<int>(cols) * x * extreme.value))
                << dtype_name(extreme.type) << " " << extreme.value << " x " << x;
          }
        });
      }
    }
  }
}

TEST(PackedProduct, InfiniteAndSmallestScales) {
  Threads threads(1);
  for (DType type : test::kBlockTypes) {
    const std::size_t cols = 2 * block_elements(type);
    RandomMatrix source(type, 20, cols, 14);
    const std::size_t row = row_bytes(type, cols);
    for (const std::size_t place : test::scale_places(type)) {
      test::set_half(source.bytes.data() + place, std::numeric_limits<float>::infinity());
      test::set_half(source.bytes.data() + row + place, 6e-8f);  // subnormal
      test::set_half(source.bytes.data() + 2 * row + place,
                     std::numeric_limits<float>::quiet_NaN());
      test::set_half(source.bytes.data() + 3 * row + place, 0.0f);
    }
    std::vector<float> x(cols, 1.0f);
    on_every_target([&] {
      const PackedMatrix w = PackedMatrix::pack(threads, source.view);
      const std::vector<float> y = product(threads, w, x, 1);
      EXPECT_FALSE(std::isfinite(y[0])) << dtype_name(type);
      EXPECT_TRUE(std::isfinite(y[1])) << dtype_name(type);
      EXPECT_TRUE(std::isnan(y[2])) << dtype_name(type);
      for (std::size_t r = 3; r < 20; ++r) EXPECT_TRUE(std::isfinite(y[r])) << dtype_name(type);
      // An activation that is not finite shows in every output of its row.
      std::vector<float> lost = x;
      lost[3] = std::numeric_limits<float>::infinity();
      for (float value : product(threads, w, lost, 1)) EXPECT_TRUE(std::isnan(value));
    });
  }
}

// Also in the last one of an odd number of columns.
TEST(PackedProduct, InfinitiesAndNanShow) {
  Threads threads(1);
  const float infinity = std::numeric_limits<float>::infinity();
  for (DType type : test::kPlainTypes) {
    for (std::size_t place : {0u, 1u, 68u, 69u, 70u}) {
      RandomMatrix source(type, 20, 71, 14);
      const std::size_t row = row_bytes(type, 71);
      const std::size_t at = place * block_bytes(type);
      const float nan = std::numeric_limits<float>::quiet_NaN();
      reference::quantize_row(type, &infinity, 1, source.bytes.data() + at);
      reference::quantize_row(type, &nan, 1, source.bytes.data() + row + at);
      on_every_target([&] {
        const PackedMatrix w = PackedMatrix::pack(threads, source.view);
        std::vector<float> x(71, 1.0f);
        const std::vector<float> y = product(threads, w, x, 1);
        EXPECT_EQ(y[0], infinity) << dtype_name(type) << " " << place;
        EXPECT_TRUE(std::isnan(y[1])) << dtype_name(type) << " " << place;
        for (std::size_t r = 2; r < 20; ++r) EXPECT_TRUE(std::isfinite(y[r])) << dtype_name(type);
        x[place] = nan;
        for (float value : product(threads, w, x, 1)) EXPECT_TRUE(std::isnan(value));
      });
    }
  }
}

// Mapped files promise nothing about where a tensor begins.
TEST(PackedMatrix, SourcesMayLieAnywhere) {
  Threads threads(1);
  for (DType type : kPackedTypes) {
    const std::size_t cols = 3 * test::unit_columns(type);
    const RandomMatrix source(type, 37, cols, 7);
    const PackedMatrix straight = PackedMatrix::pack(threads, source.view);
    for (std::size_t shift : {1u, 2u, 3u, 7u}) {
      std::vector<std::byte> moved(source.bytes.size() + shift);
      std::copy(source.bytes.begin(), source.bytes.end(),
                moved.begin() + static_cast<std::ptrdiff_t>(shift));
      WeightView view = source.view;
      view.data = moved.data() + shift;
      const PackedMatrix w = PackedMatrix::pack(threads, view);
      EXPECT_TRUE(
          std::equal(w.view().weights, w.view().weights + w.bytes(), straight.view().weights))
          << dtype_name(type) << " " << shift;
    }
  }
}

TEST(PackedMatrix, RowsComeBackBitForBit) {
  Threads threads(2);
  for (DType type : kPackedTypes) {
    for (std::size_t rows : {1u, 16u, 37u}) {
      const std::size_t cols = 3 * test::unit_columns(type);
      const RandomMatrix source(type, rows, cols, 15);
      const PackedMatrix w = PackedMatrix::pack(threads, source.view);
      std::vector<float> packed(cols), stored(cols);
      for (std::size_t r = 0; r < rows; ++r) {
        dequantize_packed_row(w.view(), r, packed.data());
        dequantize_row(source.view, r, stored.data());
        EXPECT_TRUE(same_bits(packed, stored)) << dtype_name(type) << " row " << r;
      }
    }
  }
}

TEST(PackedMatrix, SeveralShareOnePieceOfMemory) {
  Threads threads(2);
  std::vector<RandomMatrix> sources;
  std::size_t bytes = 0;
  for (DType type : kPackedTypes) {
    sources.emplace_back(type, 21, 512, 17);
    bytes += packed_bytes(sources.back().view);
  }
  const PackedMemory memory((std::size_t{3} << 20) + bytes);  // more than a huge page
  std::uint8_t* at = memory.data();
  std::vector<PackedView> packed;
  for (const RandomMatrix& source : sources) {
    packed.push_back(pack_into(threads, source.view, at));
    at += packed_bytes(source.view);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(at) % 64, 0u);
  }
  for (std::size_t i = 0; i < packed.size(); ++i) {
    std::vector<float> shared(512), stored(512);
    dequantize_packed_row(packed[i], 20, shared.data());
    dequantize_row(sources[i].view, 20, stored.data());
    EXPECT_TRUE(same_bits(shared, stored)) << dtype_name(packed[i].type);
  }
}

// Also behind an odd number of half lines, whatever lay in memory before.
TEST(PackedMatrix, WritesEveryByte) {
  Threads threads(2);
  for (DType type : kPackedTypes) {
    for (std::size_t rows : {16u, 48u}) {
      for (std::size_t units : {0u, 1u, 3u}) {
        const RandomMatrix source(type, rows, units * test::unit_columns(type), 18);
        const std::size_t bytes = packed_bytes(source.view);
        const PackedMemory zeros(bytes), ones(bytes);
        std::fill_n(zeros.data(), bytes, std::uint8_t{0});
        std::fill_n(ones.data(), bytes, std::uint8_t{0xff});
        pack_into(threads, source.view, zeros.data());
        pack_into(threads, source.view, ones.data());
        EXPECT_TRUE(std::equal(zeros.data(), zeros.data() + bytes, ones.data()))
            << dtype_name(type) << " " << rows << " rows, " << units << " units";
      }
    }
  }
}

TEST(PackedMatrix, TakesHardlyMoreThanTheSource) {
  Threads threads(1);
  for (DType type : kPackedTypes) {
    const RandomMatrix source(type, 32, 1024, 16);
    const PackedMatrix w = PackedMatrix::pack(threads, source.view);
    EXPECT_LE(static_cast<double>(w.bytes()), 1.03 * static_cast<double>(source.view.bytes()));
  }
}

RC_GTEST_PROP(PackedProperty, EqualsTheTwin, ()) {
  const DType type =
      *rc::gen::elementOf(std::vector<DType>(std::begin(kPackedTypes), std::end(kPackedTypes)));
  const auto rows = *rc::gen::inRange<std::size_t>(0, 70);
  const auto units = *rc::gen::inRange<std::size_t>(0, 6);
  const auto n = *rc::gen::inRange<std::size_t>(0, 40);
  const auto seed = *rc::gen::arbitrary<std::uint32_t>();
  Threads threads(*rc::gen::inRange<std::size_t>(1, 5));
  const RandomMatrix w(type, rows, units * test::unit_columns(type), seed);
  expect_close_to_twin(threads, w.view, n, seed + 1);
}

}  // namespace
}  // namespace laconic
