// SPDX-License-Identifier: Apache-2.0
#include "kernels/attention.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "kernel_testing.h"

namespace laconic {
namespace {

using test::expect_close;
using test::kRowTypes;
using test::on_every_target;
using test::random_floats;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// One head's rows on pages that lie apart, in descending order.
class Cache {
 public:
  Cache(DType type, std::size_t rows, std::size_t head_dim, std::uint32_t seed)
      : type_(type), head_dim_(head_dim), bytes_(page_bytes(type, head_dim)) {
    const std::size_t count = (rows + kPageRows - 1) / kPageRows;
    pool_.resize(count * bytes_, std::byte{0xff});  // unused rows hold NaN
    for (std::size_t i = 0; i < count; ++i)
      pages_.push_back(pool_.data() + (count - 1 - i) * bytes_);
    const std::vector<float> values = random_floats(2 * rows * head_dim, seed);
    for (std::size_t r = 0; r < rows; ++r) {
      set(0, r, values.data() + 2 * r * head_dim);
      set(1, r, values.data() + (2 * r + 1) * head_dim);
    }
    view_ = {pages_.data(), rows, head_dim, type};
  }

  // Row r of K (part 0) or V (part 1).
  void set(std::size_t part, std::size_t r, const float* values) {
    const std::size_t place = part * kPageRows + r % kPageRows;
    std::byte* page = pool_.data() + (pages_[r / kPageRows] - pool_.data());
    reference::quantize_row(type_, values, head_dim_, page + place * row_bytes(type_, head_dim_));
  }

  const HeadRowsView& view() const { return view_; }

 private:
  DType type_;
  std::size_t head_dim_;
  std::size_t bytes_;
  std::vector<std::byte> pool_;
  std::vector<const std::byte*> pages_;
  HeadRowsView view_;
};

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
      for (std::size_t head_dim : {1u, 3u, 4u, 8u, 16u, 32u, 64u, 80u, 96u, 128u, 256u}) {
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
    const std::size_t head_dim = 80;
    const Cache cache(DType::kBF16, 200, head_dim, 5);
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

TEST(KeyLogits, EqualsTheTwinOnEveryTarget) {
  on_every_target([] {
    for (DType type : kRowTypes) {
      for (std::size_t head_dim : {3u, 8u, 64u, 80u}) {
        const Cache cache(type, 200, head_dim, 10);
        for (std::size_t queries : {0u, 1u, 3u, 8u, 13u}) {
          const std::vector<float> q = random_floats(queries * head_dim, 11);
          for (const auto& [begin, end] : {std::pair<std::size_t, std::size_t>{0, 200},
                                           {0, 0},
                                           {5, 6},
                                           {60, 70},
                                           {64, 128},
                                           {63, 129}}) {
            std::vector<float> logits(queries * (end - begin));
            std::vector<float> expected(logits.size());
            key_logits(cache.view(), begin, end, q.data(), queries, 0.3f, logits.data());
            reference::key_logits(cache.view(), begin, end, q.data(), queries, 0.3f,
                                  expected.data());
            expect_close(logits, expected, 1e-5);
          }
        }
      }
    }
  });
}

}  // namespace
}  // namespace laconic
