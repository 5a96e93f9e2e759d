// SPDX-License-Identifier: Apache-2.0
#include "kernels/attention.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "attention_testing.h"

namespace laconic {
namespace {

using test::Block;
using test::Cache;
using test::expect_close;
using test::fitting;
using test::kRowTypes;
using test::on_every_target;
using test::random_floats;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

std::vector<float> run(const HeadRowsView& kv, const std::vector<float>& q,
                       const std::vector<std::size_t>& visible, float scale) {
  const std::size_t queries = visible.size();
  std::vector<float> out(queries * kv.head_dim, -1.0f);
  std::vector<float> scratch(attend_scratch_floats(queries, kv.head_dim), kNan);
  attend(kv, q.data(), visible.data(), queries, scale, out.data(), scratch.data());
  return out;
}

std::vector<float> run_twin(const HeadRowsView& kv, const std::vector<float>& q,
                            const std::vector<std::size_t>& visible, float scale) {
  std::vector<float> out(visible.size() * kv.head_dim, -1.0f);
  reference::attend(kv, q.data(), visible.data(), visible.size(), scale, out.data());
  return out;
}

TEST(Attend, EqualsTheTwinOnEveryTarget) {
  on_every_target([] {
    for (DType type : kRowTypes) {
      for (std::size_t least : {1u, 3u, 4u, 8u, 16u, 32u, 64u, 80u, 96u, 128u, 256u}) {
        const std::size_t head_dim = fitting(type, least);
        for (std::size_t rows : {1u, 2u, 63u, 64u, 65u, 130u}) {
          SCOPED_TRACE(std::string(dtype_name(type)) + " head_dim " + std::to_string(head_dim) +
                       " rows " + std::to_string(rows));
          const Cache cache(type, rows, head_dim, 1);
          const std::vector<std::size_t> visible = {rows, rows, (rows + 1) / 2, rows, 1};
          const std::vector<float> q = random_floats(visible.size() * head_dim, 2);
          const float scale = 1.0f / std::sqrt(static_cast<float>(head_dim));
          expect_close(run(cache.view(), q, visible, scale),
                       run_twin(cache.view(), q, visible, scale), 3e-6);
        }
      }
    }
  });
}

TEST(Attend, ManyRows) {
  for (DType type : kRowTypes) {
    const Cache cache(type, 5000, 64, 3);
    const std::vector<float> q = random_floats(2 * 64, 4, 4.0f);
    expect_close(run(cache.view(), q, {5000, 4999}, 0.125f),
                 run_twin(cache.view(), q, {5000, 4999}, 0.125f), 5e-6);
  }
}

TEST(Attend, QueriesDoNotTouchOneAnother) {
  on_every_target([] {
    for (const DType type : {DType::kBF16, DType::kQ8_0}) {
      const std::size_t head_dim = fitting(type, 80);
      const Cache cache(type, 200, head_dim, 5);
      // Causal rows of a chunk, two heads each, then a few that see everything.
      std::vector<std::size_t> visible;
      for (std::size_t row = 120; row < 140; ++row) visible.insert(visible.end(), 2, row);
      visible.insert(visible.end(), 7, 200);
      const std::vector<float> q = random_floats(visible.size() * head_dim, 6);
      const std::vector<float> together = run(cache.view(), q, visible, 0.1f);
      for (std::size_t i = 0; i < visible.size(); ++i) {
        const auto begin = static_cast<std::ptrdiff_t>(i * head_dim);
        const auto end = begin + static_cast<std::ptrdiff_t>(head_dim);
        const std::vector<float> one(q.begin() + begin, q.begin() + end);
        const std::vector<float> expected(together.begin() + begin, together.begin() + end);
        EXPECT_TRUE(test::same_bits(run(cache.view(), one, {visible[i]}, 0.1f), expected)) << i;
      }
    }
  });
}

// However many queries are asked together, and however unlike they are: each takes another path
// through the rows, and gives the same bits.
TEST(Attend, AnyNumberOfQueriesTogether) {
  on_every_target([] {
    for (const DType type : kRowTypes) {
      for (const std::size_t least : {33u, 80u, 128u, 1056u}) {
        const std::size_t head_dim = fitting(type, least), rows = 150, most = 41;
        const Cache cache(type, rows, head_dim, 35);
        const std::vector<float> q = random_floats(2 * most * head_dim, 36);
        std::vector<std::size_t> visible(most);
        for (std::size_t i = 0; i < most; ++i) visible[i] = i % 11 == 10 ? 64 : 110 + i / 3;
        const auto ask = [&](std::size_t first, std::size_t count) {
          const auto part = [&](std::size_t run) {
            const auto at =
                q.begin() + static_cast<std::ptrdiff_t>((run * most + first) * head_dim);
            return std::vector<float>(at, at + static_cast<std::ptrdiff_t>(count * head_dim));
          };
          std::vector<float> asked = part(0);
          const std::vector<float> later = part(1);
          asked.insert(asked.end(), later.begin(), later.end());
          const auto seen = visible.begin() + static_cast<std::ptrdiff_t>(first);
          const std::vector<std::size_t> all(seen, seen + static_cast<std::ptrdiff_t>(count));
          std::vector<float> out(count * head_dim, -1.0f);
          std::vector<float> scratch(attend_scratch_floats(count, head_dim), kNan);
          const std::vector<std::size_t> ends = {77, rows};
          attend_split(cache.view(), asked.data(), ends.data(), all.data(), count, 0.1f, out.data(),
                       scratch.data());
          return out;
        };
        std::vector<float> one_by_one;
        for (std::size_t i = 0; i < most; ++i) {
          const std::vector<float> one = ask(i, 1);
          one_by_one.insert(one_by_one.end(), one.begin(), one.end());
        }
        for (std::size_t count = 2; count <= most; ++count) {
          const std::vector<float> expected(
              one_by_one.begin(),
              one_by_one.begin() + static_cast<std::ptrdiff_t>(count * head_dim));
          ASSERT_TRUE(test::same_bits(ask(0, count), expected))
              << dtype_name(type) << ", head_dim " << head_dim << ", " << count << " queries";
        }
      }
    }
  });
}

TEST(Attend, RowsOutOfSightDoNotMatter) {
  on_every_target([] {
    const std::size_t head_dim = 32;
    const std::vector<float> bad(head_dim, kNan);
    const std::vector<float> q = random_floats(2 * head_dim, 8);
    for (std::size_t seen : {1u, 63u, 64u, 70u}) {
      const Cache clean(DType::kF32, 100, head_dim, 7);
      Cache spoiled(DType::kF32, 100, head_dim, 7);
      for (std::size_t r = seen; r < 100; ++r) {
        spoiled.set(0, r, bad.data());
        spoiled.set(1, r, bad.data());
      }
      EXPECT_TRUE(test::same_bits(run(clean.view(), q, {seen, seen}, 0.2f),
                                  run(spoiled.view(), q, {seen, seen}, 0.2f)))
          << seen;
    }
  });
}

TEST(Attend, HugeLogitsAndLostOnes) {
  on_every_target([] {
    const std::size_t head_dim = 16;
    Cache cache(DType::kF32, 130, head_dim, 9);
    const std::vector<float> q(head_dim, 1.0f);
    // One row takes all the weight; growing maxima across pages rescale what was gathered.
    for (std::size_t r : {10u, 70u, 129u}) {
      const std::vector<float> key(head_dim, 1e4f * static_cast<float>(r));
      cache.set(0, r, key.data());
      expect_close(run(cache.view(), q, {130}, 1.0f), run_twin(cache.view(), q, {130}, 1.0f), 1e-5);
    }
    // A first page whose logits are all -inf weighs nothing.
    const std::vector<float> never(head_dim, -kInfinity);
    for (std::size_t r = 0; r < 64; ++r) cache.set(0, r, never.data());
    expect_close(run(cache.view(), q, {130}, 1.0f), run_twin(cache.view(), q, {130}, 1.0f), 1e-5);
    // Nothing but -inf is no distribution, and NaN stays visible.
    EXPECT_TRUE(std::isnan(run(cache.view(), q, {64}, 1.0f)[0]));
    const std::vector<float> broken(head_dim, kNan);
    cache.set(0, 100, broken.data());
    EXPECT_TRUE(std::isnan(run(cache.view(), q, {130}, 1.0f)[0]));
  });
}

TEST(Attend, ABlockEqualsItsPages) {
  on_every_target([] {
    for (DType type : kRowTypes) {
      for (std::size_t rows : {1u, 17u, 63u, 64u, 65u, 80u, 128u, 200u}) {
        SCOPED_TRACE(std::string(dtype_name(type)) + " rows " + std::to_string(rows));
        const std::size_t head_dim = fitting(type, 40);
        const Cache pages(type, rows, head_dim, 21);
        const Block block(pages.view());
        const std::vector<std::size_t> visible = {rows, (rows + 1) / 2, rows, 1};
        const std::vector<float> q = random_floats(visible.size() * head_dim, 22);
        EXPECT_TRUE(test::same_bits(run(block.view(), q, visible, 0.2f),
                                    run(pages.view(), q, visible, 0.2f)));
        EXPECT_TRUE(test::same_bits(run_twin(block.view(), q, visible, 0.2f),
                                    run_twin(pages.view(), q, visible, 0.2f)));
      }
    }
  });
}

// Weights to a part of themselves: those of 5000 rows are small.
void expect_weights(const std::vector<float>& weights, const std::vector<float>& expected) {
  ASSERT_EQ(weights.size(), expected.size());
  for (std::size_t i = 0; i < weights.size(); ++i) {
    ASSERT_LE(std::fabs(weights[i] - expected[i]), 2e-5 * expected[i] + 1e-30) << "at " << i;
  }
}

// Checks what attend_with_weights gives against attend and the twin.
void check_weights(const HeadRowsView& kv, const std::vector<std::size_t>& visible, float spread) {
  const std::size_t queries = visible.size();
  const std::vector<float> q = random_floats(queries * kv.head_dim, 23, spread);
  const float scale = 1.0f / std::sqrt(static_cast<float>(kv.head_dim));
  std::vector<float> out(queries * kv.head_dim, -1.0f), twin_out(out);
  std::vector<float> weights(queries * kv.rows, -1.0f), twin_weights(weights);
  std::vector<float> scratch(attend_scratch_floats(queries, kv.head_dim), kNan);
  attend_with_weights(kv, q.data(), visible.data(), queries, scale, out.data(), weights.data(),
                      scratch.data());
  reference::attend_with_weights(kv, q.data(), visible.data(), queries, scale, twin_out.data(),
                                 twin_weights.data());
  EXPECT_TRUE(test::same_bits(out, run(kv, q, visible, scale)));
  EXPECT_TRUE(test::same_bits(twin_out, run_twin(kv, q, visible, scale)));
  expect_weights(weights, twin_weights);
  for (std::size_t i = 0; i < queries; ++i) {
    double sum = 0;
    for (std::size_t r = 0; r < kv.rows; ++r) {
      const float weight = weights[i * kv.rows + r];
      sum += weight;
      if (r >= visible[i]) {
        EXPECT_EQ(weight, 0.0f);
      }
    }
    EXPECT_NEAR(sum, 1.0, 1e-5);
  }
}

TEST(AttendWithWeights, EqualsAttendAndTheTwinOnEveryTarget) {
  on_every_target([] {
    for (DType type : kRowTypes) {
      for (std::size_t least : {1u, 3u, 8u, 16u, 64u, 80u, 128u}) {
        const std::size_t head_dim = fitting(type, least);
        for (std::size_t rows : {1u, 2u, 63u, 64u, 65u, 130u}) {
          SCOPED_TRACE(std::string(dtype_name(type)) + " head_dim " + std::to_string(head_dim) +
                       " rows " + std::to_string(rows));
          const Cache cache(type, rows, head_dim, 24);
          check_weights(cache.view(), {rows, rows, (rows + 1) / 2, rows, 1, rows}, 1.0f);
          check_weights(cache.view(), {rows}, 1.0f);
          // As many as go by panels, each with rows of its own.
          std::vector<std::size_t> many(33);
          for (std::size_t i = 0; i < many.size(); ++i) many[i] = 1 + i * 7 % rows;
          check_weights(cache.view(), many, 1.0f);
        }
      }
    }
  });
}

TEST(AttendWithWeights, RandomShapes) {
  on_every_target([] {
    std::mt19937 generator(25);
    for (std::uint32_t round = 0; round < 20; ++round) {
      const std::size_t rows = 1 + generator() % 700;
      const DType type = kRowTypes[generator() % std::size(kRowTypes)];
      const Cache cache(type, rows, fitting(type, 1 + generator() % 140), round);
      const Block block(cache.view());
      std::vector<std::size_t> visible(1 + generator() % 9);
      for (std::size_t& seen : visible) seen = 1 + generator() % rows;
      check_weights(round % 2 == 0 ? cache.view() : block.view(), visible, 1.0f);
    }
  });
}

TEST(AttendWithWeights, HugeLogitsAndLostOnes) {
  on_every_target([] {
    const std::size_t head_dim = 16;
    Cache cache(DType::kF32, 130, head_dim, 26);
    const std::vector<float> q(head_dim, 1.0f);
    std::vector<float> out(head_dim), scratch(attend_scratch_floats(1, head_dim));
    std::vector<float> weights(130);
    const auto ask = [&](std::size_t seen) {
      attend_with_weights(cache.view(), q.data(), &seen, 1, 1.0f, out.data(), weights.data(),
                          scratch.data());
    };
    // The largest logit grows from page to page; what came before ends with nothing.
    for (std::size_t r : {10u, 70u, 129u}) {
      const std::vector<float> key(head_dim, 1e4f * static_cast<float>(r));
      cache.set(0, r, key.data());
      ask(130);
      for (std::size_t i = 0; i < 130; ++i) EXPECT_EQ(weights[i], i == r ? 1.0f : 0.0f) << i;
    }
    const std::vector<float> never(head_dim, -kInfinity);
    for (std::size_t r = 0; r < 64; ++r) cache.set(0, r, never.data());
    ask(130);
    EXPECT_EQ(weights[0], 0.0f);
    EXPECT_EQ(weights[129], 1.0f);
    // Nothing but -inf is no distribution.
    ask(64);
    EXPECT_TRUE(std::isnan(weights[0]));
    EXPECT_EQ(weights[64], 0.0f);
  });
}

std::vector<float> run_split(const HeadRowsView& kv, const std::vector<float>& q,
                             const std::vector<std::size_t>& run_ends,
                             const std::vector<std::size_t>& visible, float scale) {
  const std::size_t queries = visible.size();
  std::vector<float> out(queries * kv.head_dim, -1.0f);
  std::vector<float> scratch(attend_scratch_floats(queries, kv.head_dim), kNan);
  attend_split(kv, q.data(), run_ends.data(), visible.data(), queries, scale, out.data(),
               scratch.data());
  return out;
}

TEST(AttendSplit, EqualsTheTwinOnEveryTarget) {
  on_every_target([] {
    for (DType type : kRowTypes) {
      for (std::size_t least : {1u, 8u, 64u, 80u}) {
        const std::size_t head_dim = fitting(type, least);
        const std::size_t rows = 150;
        const Cache cache(type, rows, head_dim, 27);
        const std::vector<std::size_t> visible = {rows, rows, 70, rows, 1, 64, 65};
        const std::vector<float> q = random_floats(5 * visible.size() * head_dim, 28);
        const float scale = 1.0f / std::sqrt(static_cast<float>(head_dim));
        for (const std::vector<std::size_t>& ends :
             std::vector<std::vector<std::size_t>>{{150},
                                                   {1000},
                                                   {0, 150},
                                                   {1, 150},
                                                   {4, 150},
                                                   {63, 150},
                                                   {64, 150},
                                                   {65, 150},
                                                   {127, 150},
                                                   {150, 150},
                                                   {3, 5, 9, 11, 150},
                                                   {60, 64, 70, 128, 151},
                                                   {0, 64, 64, 149, 150}}) {
          SCOPED_TRACE(std::string(dtype_name(type)) + " head_dim " + std::to_string(head_dim) +
                       " ends " + ::testing::PrintToString(ends));
          std::vector<float> expected(visible.size() * head_dim, -1.0f);
          reference::attend_split(cache.view(), q.data(), ends.data(), visible.data(),
                                  visible.size(), scale, expected.data());
          expect_close(run_split(cache.view(), q, ends, visible, scale), expected, 3e-6);
        }
      }
    }
  });
}

TEST(AttendSplit, OneQueryForAllRunsIsAttend) {
  on_every_target([] {
    std::mt19937 generator(30);
    for (std::uint32_t round = 0; round < 20; ++round) {
      const std::size_t rows = 1 + generator() % 300;
      const DType type = kRowTypes[generator() % std::size(kRowTypes)];
      const std::size_t head_dim = fitting(type, 1 + generator() % 140);
      const Cache cache(type, rows, head_dim, round);
      std::vector<std::size_t> visible(1 + generator() % 9);
      for (std::size_t& seen : visible) seen = 1 + generator() % rows;
      const std::vector<float> q = random_floats(visible.size() * head_dim, 100 + round);
      std::vector<std::size_t> ends = {generator() % (rows + 1), generator() % (rows + 1), rows};
      std::sort(ends.begin(), ends.end());
      std::vector<float> thrice;
      for (int run = 0; run < 3; ++run) thrice.insert(thrice.end(), q.begin(), q.end());
      EXPECT_TRUE(test::same_bits(run_split(cache.view(), thrice, ends, visible, 0.2f),
                                  run(cache.view(), q, visible, 0.2f)));
    }
  });
}

// The parts by themselves, in any order and added up at the end, are the whole.
TEST(AttendPart, PartsMakeTheWhole) {
  on_every_target([] {
    for (DType type : kRowTypes) {
      for (std::size_t rows : {std::size_t{1}, std::size_t{70}, kPartRows, kPartRows + 1,
                               3 * kPartRows - 5, 3 * kPartRows}) {
        const std::size_t head_dim = fitting(type, 40);
        const Cache cache(type, rows, head_dim, 31);
        const std::vector<std::size_t> visible = {rows, rows, 1, (rows + 1) / 2, rows, rows, rows};
        const std::size_t queries = visible.size();
        const std::vector<float> q = random_floats(2 * queries * head_dim, 32, 2.0f);
        const std::vector<std::size_t> ends = {rows / 3, rows};
        const AttendQueries asked{q.data(), ends.data(), visible.data(), queries, 0.2f};
        const std::size_t count = parts_of(rows), stride = attend_part_floats(queries, head_dim);
        std::vector<float> parts(count * stride, kNan), out(queries * head_dim, -1.0f);
        for (std::size_t i = count; i-- > 0;) {
          attend_part(cache.view(), asked, i, parts.data() + i * stride);
        }
        finish_attend(parts.data(), count, queries, head_dim, out.data());
        EXPECT_TRUE(test::same_bits(out, run_split(cache.view(), q, ends, visible, 0.2f)))
            << dtype_name(type) << ", " << rows << " rows";
      }
    }
  });
}

// Where a query's last row lies decides its parts, and nothing else does: beside queries that see
// more it gives the same bits.
TEST(AttendPart, QueriesBesideLongerOnes) {
  on_every_target([] {
    const std::size_t head_dim = 48, rows = 2 * kPartRows + 100;
    const Cache cache(DType::kF16, rows, head_dim, 33);
    const std::vector<std::size_t> visible = {1, kPartRows - 1, kPartRows, kPartRows + 1, rows};
    const std::vector<float> q = random_floats(visible.size() * head_dim, 34, 3.0f);
    const std::vector<float> together = run(cache.view(), q, visible, 0.2f);
    for (std::size_t i = 0; i < visible.size(); ++i) {
      const auto begin = static_cast<std::ptrdiff_t>(i * head_dim);
      const auto end = begin + static_cast<std::ptrdiff_t>(head_dim);
      const std::vector<float> one(q.begin() + begin, q.begin() + end);
      const std::vector<float> expected(together.begin() + begin, together.begin() + end);
      EXPECT_TRUE(test::same_bits(run(cache.view(), one, {visible[i]}, 0.2f), expected)) << i;
    }
  });
}

}  // namespace
}  // namespace laconic
