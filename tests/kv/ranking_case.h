// SPDX-License-Identifier: Apache-2.0
// A policy with random options, and keys with what it looks at: what the properties of rankings are
// asked of.
#pragma once

#include <rapidcheck.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "kv/replay.h"
#include "kv_support.h"

namespace laconic::test {

inline bool asks_window(KvPolicy policy) {
  return policy == KvPolicy::kRpc || policy == KvPolicy::kSnapKv || policy == KvPolicy::kRkv;
}
inline bool asks(KvPolicy policy) { return asks_window(policy) || policy == KvPolicy::kTova; }

// Keys, and what the policy looks at, at a trigger by either law.
struct RankingCase {
  KvOptions options;
  std::vector<float> keys, queries, attention;
  ReplayInput input;
  std::size_t stay = 0;  // rows, by the law

  RankingCase(KvPolicy policy, std::uint64_t seed) : options(KvOptions::of(policy)) {
    choose_ranking();
    input.kv_heads = *rc::gen::inRange<std::size_t>(1, 4);
    input.heads = input.kv_heads * *rc::gen::inRange<std::size_t>(1, 5);
    input.head_dim = *rc::gen::inRange<std::size_t>(1, 33);
    choose_schedule();
    SplitMix64 random(seed);
    keys = random.values(input.kv_heads * input.rows * input.head_dim);
    if (asks(policy)) {
      input.window = asks_window(policy) ? options.window : 1;
      queries = random.values(input.heads * input.window * input.head_dim, 3.0);
    } else if (policy == KvPolicy::kH2o) {
      input.steps = *rc::gen::inRange<std::size_t>(1, 6);
      attention = random.values(input.heads * input.steps * input.rows);
      for (float& weight : attention) weight = std::abs(weight);
    } else {
      input.heads = 0;
    }
    point();
  }
  RankingCase(const RankingCase&) = delete;

  // Spans to the arrays as they are now.
  void point() {
    input.keys = keys;
    input.queries = queries;
    input.attention = attention;
  }

  std::size_t protected_rows() const {
    return std::max(options.protect_prompt ? input.prompt_rows : 0, options.sink);
  }
  std::size_t window() const { return options.window; }
  std::size_t first() const { return protected_rows(); }
  std::size_t candidates() const { return input.rows - window() - first(); }
  std::size_t keep() const { return stay - window() - first(); }
  // Newest candidates that stay whatever their score.
  std::size_t forced() const {
    if (options.policy != KvPolicy::kH2o) return 0;
    const std::size_t recent = options.recent > 0 ? options.recent : (stay - first()) / 2;
    return recent > window() ? std::min(recent - window(), keep()) : 0;
  }
  std::size_t group() const { return input.heads / input.kv_heads; }

  // The candidates among `kept`, counted from the first one.
  std::vector<std::int32_t> chosen(const std::vector<std::int32_t>& kept) const {
    std::vector<std::int32_t> out;
    for (std::size_t i = first(); i + window() < kept.size(); ++i) {
      out.push_back(kept[i] - static_cast<std::int32_t>(first()));
    }
    return out;
  }

  // Whether `kept` are the best by `scores`, beside those that are forced.
  bool best(std::vector<double> scores, const std::vector<std::int32_t>& kept,
            double scale = 0) const {
    std::vector<std::int32_t> ranked = chosen(kept);
    if (ranked.size() != keep() || scores.size() != candidates()) return false;
    for (std::size_t back = 0; back < forced(); ++back) {
      if (ranked.back() != static_cast<std::int32_t>(candidates() - 1 - back)) return false;
      ranked.pop_back();
    }
    scores.resize(candidates() - forced());
    return are_best(scores, ranked, keep() - forced(), scale);
  }

 private:
  void choose_ranking() {
    const KvPolicy policy = options.policy;
    options.seed = *rc::gen::arbitrary<std::uint64_t>();
    options.granularity = *rc::gen::element(KvGranularity::kLayer, KvGranularity::kKvHead);
    if (asks(policy) || policy == KvPolicy::kH2o) {
      options.aggregation =
          *rc::gen::element(KvAggregation::kMean, KvAggregation::kMax, KvAggregation::kSum);
    }
    if (asks_window(policy)) {
      options.pool = *rc::gen::element(KvPool::kAvg, KvPool::kMax, KvPool::kNone);
      options.kernel = 2 * *rc::gen::inRange<std::size_t>(0, 6) + 1;
      options.softmax = *rc::gen::element(KvSoftmax::kCandidates, KvSoftmax::kFull);
    }
    if (policy == KvPolicy::kRkv) {
      options.lambda = *rc::gen::element(0.0, 0.1, 0.5, 1.0);
      options.similarity = *rc::gen::element(0.0, 0.3, 0.5, 0.8);
    }
    if (policy == KvPolicy::kH2o) {
      options.decay = *rc::gen::element(1.0, 0.9, 0.5);
      options.recent = *rc::gen::inRange<std::size_t>(0, 12);
    }
  }

  void choose_schedule() {
    options.window = *rc::gen::inRange<std::size_t>(asks_window(options.policy) ? 1 : 0, 12);
    options.protect_prompt = *rc::gen::arbitrary<bool>();
    options.sink = *rc::gen::inRange<std::size_t>(0, 6);
    input.prompt_rows = *rc::gen::inRange<std::size_t>(0, 40);
    options.interval = *rc::gen::inRange<std::size_t>(1, 40);
    if (*rc::gen::arbitrary<bool>()) {
      options.budget = std::max<std::size_t>(
          1, protected_rows() + newest_rows(options) + *rc::gen::inRange<std::size_t>(0, 40));
      stay = options.budget;
      input.rows = stay + *rc::gen::inRange<std::size_t>(1, 70);
      input.rows = std::max(input.rows, input.prompt_rows);
      return;
    }
    const auto ratio =
        *rc::gen::inRange<std::size_t>(1, std::min<std::size_t>(options.interval, 8) + 1);
    options.ratio = static_cast<double>(ratio);
    options.cap = *rc::gen::element<std::size_t>(0, 0, 5, 30);
    input.prompt_rows = std::max(input.prompt_rows, shortest_prompt(options));
    const std::size_t left = input.prompt_rows + candidates_after(options, 1) + options.window;
    options.recent = std::min(options.recent, left - protected_rows());
    input.round = *rc::gen::inRange<std::size_t>(0, 4);
    std::size_t kept = (input.round + 1) * (options.interval / ratio);
    if (options.cap > 0) kept = std::min(kept, options.cap);
    stay = input.prompt_rows + kept + options.window;
    input.rows = stay + *rc::gen::inRange<std::size_t>(0, 70);
  }
};

}  // namespace laconic::test
