// SPDX-License-Identifier: Apache-2.0
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

struct Range {
  std::size_t begin, end;
  std::size_t size() const { return end - begin; }
};

constexpr Range kRanges[] = {{0, 200},  {0, 0},    {5, 6},    {60, 70},
                             {64, 128}, {63, 129}, {61, 200}, {199, 200}};

std::vector<float> logits_of(const HeadRowsView& kv, Range rows, const float* q,
                             std::size_t queries, float scale) {
  std::vector<float> logits(queries * rows.size(), -1.0f);
  key_logits(kv, rows.begin, rows.end, q, queries, scale, logits.data());
  return logits;
}

void check_logits(const HeadRowsView& kv, Range rows, const std::vector<float>& q, float scale) {
  const std::size_t queries = q.size() / kv.head_dim;
  std::vector<float> expected(queries * rows.size());
  reference::key_logits(kv, rows.begin, rows.end, q.data(), queries, scale, expected.data());
  expect_close(logits_of(kv, rows, q.data(), queries, scale), expected, 1e-5);
}

TEST(KeyLogits, EqualsTheTwinOnEveryTarget) {
  on_every_target([] {
    for (DType type : kRowTypes) {
      for (std::size_t least : {1u, 3u, 8u, 16u, 31u, 32u, 48u, 64u, 80u, 128u}) {
        const std::size_t head_dim = fitting(type, least);
        SCOPED_TRACE(std::string(dtype_name(type)) + " head_dim " + std::to_string(head_dim));
        const Cache cache(type, 200, head_dim, 10);
        for (std::size_t queries : {0u, 1u, 2u, 3u, 8u, 13u}) {
          const std::vector<float> q = random_floats(queries * head_dim, 11);
          for (const Range& rows : kRanges) check_logits(cache.view(), rows, q, 0.3f);
        }
      }
    }
  });
}

TEST(KeyLogits, RandomShapes) {
  on_every_target([] {
    std::mt19937 generator(12);
    for (std::uint32_t round = 0; round < 20; ++round) {
      const std::size_t rows = 1 + generator() % 700;
      const DType type = kRowTypes[generator() % std::size(kRowTypes)];
      const std::size_t head_dim = fitting(type, 1 + generator() % 300);
      const Cache cache(type, rows, head_dim, round);
      const Block block(cache.view());
      const std::size_t begin = generator() % rows;
      const Range range{begin, begin + generator() % (rows - begin + 1)};
      const std::vector<float> q = random_floats((generator() % 70) * head_dim, 100 + round);
      check_logits(round % 2 == 0 ? cache.view() : block.view(), range, q, 0.1f);
    }
  });
}

// A logit's bits follow from its query and its key alone: not from the other queries, from the
// range or from where the key lies.
TEST(KeyLogits, DoNotDependOnTheCall) {
  on_every_target([] {
    for (DType type : kRowTypes) {
      for (std::size_t least : {5u, 64u, 80u}) {
        const std::size_t head_dim = fitting(type, least);
        const Cache cache(type, 200, head_dim, 13);
        const Block block(cache.view());
        const std::size_t queries = 7;
        const std::vector<float> q = random_floats(queries * head_dim, 14);
        const std::vector<float> all = logits_of(cache.view(), {0, 200}, q.data(), queries, 0.3f);
        EXPECT_TRUE(
            test::same_bits(logits_of(block.view(), {0, 200}, q.data(), queries, 0.3f), all));
        for (const Range& rows : kRanges) {
          for (std::size_t first = 0; first < queries; ++first) {
            const std::size_t count = std::min<std::size_t>(queries - first, 1 + first % 3);
            const std::vector<float> some =
                logits_of(cache.view(), rows, q.data() + first * head_dim, count, 0.3f);
            std::vector<float> expected;
            for (std::size_t i = first; i < first + count; ++i) {
              for (std::size_t r = rows.begin; r < rows.end; ++r)
                expected.push_back(all[i * 200 + r]);
            }
            EXPECT_TRUE(test::same_bits(some, expected)) << rows.begin << ", " << rows.end;
          }
        }
      }
    }
  });
}

TEST(KeyLogits, StaySeenWhereTheyAreNoNumbers) {
  on_every_target([] {
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    const std::size_t head_dim = 20;
    Cache cache(DType::kF32, 9, head_dim, 15);
    const std::vector<float> never(head_dim, -kInfinity);
    const std::vector<float> broken(head_dim, std::numeric_limits<float>::quiet_NaN());
    cache.set(0, 2, never.data());
    cache.set(0, 8, broken.data());
    const std::vector<float> q(3 * head_dim, 1.0f);
    check_logits(cache.view(), {0, 9}, q, 1.0f);
    const std::vector<float> logits = logits_of(cache.view(), {0, 9}, q.data(), 3, 1.0f);
    EXPECT_EQ(logits[2], -kInfinity);
    EXPECT_TRUE(std::isfinite(logits[3]));
    EXPECT_TRUE(std::isnan(logits[8]));
  });
}

TEST(KeyLengths, EqualTheTwinOnEveryTarget) {
  on_every_target([] {
    for (DType type : kRowTypes) {
      for (std::size_t least : {1u, 3u, 8u, 31u, 64u, 80u, 129u}) {
        const std::size_t head_dim = fitting(type, least);
        SCOPED_TRACE(std::string(dtype_name(type)) + " head_dim " + std::to_string(head_dim));
        const Cache cache(type, 200, head_dim, 16);
        const Block block(cache.view());
        for (const HeadRowsView& kv : {cache.view(), block.view()}) {
          for (const Range& rows : kRanges) {
            std::vector<float> lengths(rows.size(), -1.0f);
            std::vector<float> expected(rows.size());
            key_lengths(kv, rows.begin, rows.end, lengths.data());
            reference::key_lengths(kv, rows.begin, rows.end, expected.data());
            expect_close(lengths, expected, 1e-6);
          }
        }
      }
    }
  });
}

}  // namespace
}  // namespace laconic
