// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "kv/replay.h"
#include "kv/scores.h"
#include "kv_support.h"

namespace laconic {
namespace {

struct Case {
  KvOptions options;
  std::vector<float> keys, queries;
  ReplayInput input;

  explicit Case(std::uint64_t seed) {
    options.policy = KvPolicy::kRpc;
    options.interval = *rc::gen::inRange<std::size_t>(1, 40);
    options.window = *rc::gen::inRange<std::size_t>(1, 24);
    options.ratio = static_cast<double>(
        *rc::gen::inRange<std::size_t>(1, std::min<std::size_t>(options.interval, 8) + 1));
    options.kernel = 2 * *rc::gen::inRange<std::size_t>(0, 6) + 1;
    options.pool = *rc::gen::element(KvPool::kAvg, KvPool::kMax, KvPool::kNone);
    options.granularity = *rc::gen::element(KvGranularity::kLayer, KvGranularity::kKvHead);
    options.selector =
        *rc::gen::element(KvSelector::kExact, KvSelector::kReference, KvSelector::kLast);
    options.softmax = *rc::gen::element(KvSoftmax::kCandidates, KvSoftmax::kFull);
    options.protect_prompt = *rc::gen::arbitrary<bool>();
    options.cap = *rc::gen::element<std::size_t>(0, 0, 5, 30);
    input.kv_heads = *rc::gen::inRange<std::size_t>(1, 4);
    input.heads = input.kv_heads * *rc::gen::inRange<std::size_t>(1, 5);
    input.head_dim = *rc::gen::inRange<std::size_t>(1, 33);
    input.window = options.window;
    input.prompt_rows = *rc::gen::inRange<std::size_t>(0, 80);
    input.round = *rc::gen::inRange<std::size_t>(0, 4);
    // What the law makes it at a trigger, and sometimes more.
    const auto per_round =
        static_cast<std::size_t>(static_cast<double>(options.interval) / options.ratio);
    input.rows = input.prompt_rows + input.round * per_round + options.interval + options.window +
                 *rc::gen::inRange<std::size_t>(0, 70);
    test::SplitMix64 random(seed);
    keys = random.values(input.kv_heads * input.rows * input.head_dim);
    queries = random.values(input.heads * input.window * input.head_dim, 3.0);
    input.keys = keys;
    input.queries = queries;
  }

  std::size_t first_candidate() const { return options.protect_prompt ? input.prompt_rows : 0; }

  std::size_t keep() const {
    auto kept = (input.round + 1) *
                static_cast<std::size_t>(static_cast<double>(options.interval) / options.ratio);
    if (options.cap > 0) kept = std::min(kept, options.cap);
    return kept + (options.protect_prompt ? 0 : input.prompt_rows);
  }

  // The published bookkeeping: queries that were cached since the last compression, then the
  // current one.
  std::vector<std::size_t> asked() const {
    const std::size_t window = options.window, newest = window - 1;
    if (options.selector == KvSelector::kLast) return {newest};
    std::vector<std::size_t> indices;
    if (options.selector == KvSelector::kReference) {
      for (std::size_t q = 1; q < window; ++q) {
        const bool forgotten = input.round > 0 && window - q > options.interval;
        if (!forgotten) indices.push_back(q);
      }
      indices.push_back(newest);
    } else {
      indices.resize(window);
      std::iota(indices.begin(), indices.end(), std::size_t{0});
    }
    return indices;
  }

  test::TwinInput twin() const {
    test::TwinInput t;
    t.query_heads = input.heads;
    t.first_candidate = first_candidate();
    t.window = input.window;
    const float* key = keys.data();
    for (std::size_t h = 0; h < input.kv_heads; ++h) {
      t.keys.emplace_back();
      for (std::size_t r = 0; r < input.rows; ++r, key += input.head_dim) {
        t.keys[h].emplace_back(key, key + input.head_dim);
      }
    }
    for (std::size_t q : asked()) {
      test::TwinQuery query;
      query.visible = input.rows - input.window + q + 1;
      for (std::size_t h = 0; h < input.heads; ++h) {
        const float* from = queries.data() + (h * input.window + q) * input.head_dim;
        query.heads.insert(query.heads.end(), from, from + input.head_dim);
      }
      t.queries.push_back(std::move(query));
    }
    return t;
  }
};

RC_GTEST_PROP(RpcProperty, EqualsTheFloat64Twin, (std::uint64_t seed)) {
  const Case c(seed);
  const ReplayResult result = replay_policy(c.input, c.options);
  const auto expected = test::twin_scores(c.twin(), c.options);

  RC_ASSERT(result.candidate_start == c.first_candidate());
  RC_ASSERT(result.scores.size() == expected.size());
  RC_ASSERT(result.kept.size() == c.input.kv_heads);
  for (std::size_t h = 0; h < c.input.kv_heads; ++h) {
    const std::size_t list = expected.size() == 1 ? 0 : h;
    RC_ASSERT(result.scores[list].size() == expected[list].size());
    const double largest = *std::max_element(expected[list].begin(), expected[list].end());
    for (std::size_t i = 0; i < expected[list].size(); ++i) {
      RC_ASSERT(std::abs(result.scores[list][i] - expected[list][i]) <= 5e-6 * largest);
    }
    // Prompt, candidates, window: ascending and complete.
    const std::vector<std::int32_t>& kept = result.kept[h];
    RC_ASSERT(kept.size() == c.first_candidate() + c.keep() + c.input.window);
    std::vector<std::int32_t> chosen;
    for (std::size_t i = 0; i < kept.size(); ++i) {
      if (i > 0) RC_ASSERT(kept[i - 1] < kept[i]);
      const auto row = static_cast<std::size_t>(kept[i]);
      if (i < c.first_candidate()) {
        RC_ASSERT(row == i);
      } else if (i >= kept.size() - c.input.window) {
        RC_ASSERT(row == c.input.rows - (kept.size() - i));
      } else {
        chosen.push_back(static_cast<std::int32_t>(row - c.first_candidate()));
      }
    }
    RC_ASSERT(test::are_best(expected[list], chosen, c.keep()));
  }
}

RC_GTEST_PROP(RpcProperty, HeadsOfAGroupMayStandInAnyOrder, (std::uint64_t seed)) {
  const Case c(seed);
  const std::size_t group = c.input.heads / c.input.kv_heads;
  const std::size_t block = c.input.window * c.input.head_dim;
  std::vector<float> permuted(c.queries.size());
  for (std::size_t h = 0; h < c.input.heads; ++h) {  // rotated within the group
    const std::size_t to = h / group * group + (h + 1) % group;
    std::copy_n(c.queries.begin() + static_cast<std::ptrdiff_t>(h * block), block,
                permuted.begin() + static_cast<std::ptrdiff_t>(to * block));
  }
  ReplayInput other = c.input;
  other.queries = permuted;
  const ReplayResult a = replay_policy(c.input, c.options);
  const ReplayResult b = replay_policy(other, c.options);
  for (std::size_t h = 0; h < c.input.kv_heads; ++h) {
    const auto& scores = a.scores[a.scores.size() == 1 ? 0 : h];
    const std::vector<double> wide(scores.begin(), scores.end());
    std::vector<std::int32_t> chosen(
        b.kept[h].begin() + static_cast<std::ptrdiff_t>(c.first_candidate()),
        b.kept[h].end() - static_cast<std::ptrdiff_t>(c.input.window));
    for (std::int32_t& row : chosen) row -= static_cast<std::int32_t>(c.first_candidate());
    RC_ASSERT(test::are_best(wide, chosen, c.keep()));
  }
}

RC_GTEST_PROP(RpcProperty, ScalingScoresChangesNothing, (std::uint64_t seed)) {
  test::SplitMix64 random(seed);
  std::vector<float> scores = random.values(*rc::gen::inRange<std::size_t>(1, 200));
  const auto count = *rc::gen::inRange<std::size_t>(0, scores.size() + 1);
  const std::vector<std::int32_t> before = top_indices(scores, count);
  for (float& s : scores) s *= 0.25f;
  RC_ASSERT(top_indices(scores, count) == before);
  scores.push_back(-std::numeric_limits<float>::infinity());
  RC_ASSERT(top_indices(scores, count) == before);
}

RC_GTEST_PROP(TopIndicesProperty, EqualsASort, (std::uint64_t seed)) {
  test::SplitMix64 random(seed);
  std::vector<float> scores(*rc::gen::inRange<std::size_t>(0, 120));
  for (float& s : scores) {  // few distinct values: many ties
    const std::uint64_t pick = random.bits() % 6;
    s = pick == 5 ? std::numeric_limits<float>::quiet_NaN() : static_cast<float>(pick);
  }
  const auto count = *rc::gen::inRange<std::size_t>(0, scores.size() + 1);
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    const float left = std::isnan(scores[a]) ? -1.0f : scores[a];
    const float right = std::isnan(scores[b]) ? -1.0f : scores[b];
    return left > right;
  });
  order.resize(count);
  std::sort(order.begin(), order.end());
  const std::vector<std::int32_t> expected(order.begin(), order.end());
  RC_ASSERT(top_indices(scores, count) == expected);
}

}  // namespace
}  // namespace laconic
