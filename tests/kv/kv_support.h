// SPDX-License-Identifier: Apache-2.0
// What the tests of this room share: a seeded generator, paged rows, and RPC in plain float64 that
// shares nothing with the code under test.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "kv/head_cache.h"
#include "kv/page_pool.h"
#include "kv/schedule.h"
#include "laconic/kv_options.h"

namespace laconic::test {

// n, or the next size that rows of that type can have.
constexpr std::size_t whole_blocks(DType type, std::size_t n) {
  const std::size_t block = block_elements(type);
  return (n + block - 1) / block * block;
}

class SplitMix64 {
 public:
  explicit SplitMix64(std::uint64_t seed) : state_(seed) {}

  std::uint64_t bits() {
    state_ += 0x9E3779B97F4A7C15u;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }

  // In [-1, 1).
  double value() { return 2.0 * (static_cast<double>(bits() >> 11) * 0x1p-53) - 1.0; }

  // A multiple of 1/64 in [-1, 1): exact in f32, f16 and bf16.
  float coarse() { return static_cast<float>(std::floor(value() * 64.0) / 64.0); }

  std::vector<float> values(std::size_t count, double scale = 1.0) {
    std::vector<float> out(count);
    for (float& v : out) v = static_cast<float>(scale * value());
    return out;
  }

 private:
  std::uint64_t state_;
};

// The least rows that a prompt must have for require_budget(): by ratio the sinks need them.
inline std::size_t shortest_prompt(const KvOptions& o) {
  if (!o.evicts() || o.by_budget()) return 0;
  return o.sink - std::min(o.sink, candidates_after(o, /*rounds=*/1));
}

// f32 caches that hold given keys; row r stands at position r.
struct PagedKeys {
  PagedKeys(const std::vector<float>& keys /* [kv_heads][rows][dim] */, std::size_t kv_heads,
            std::size_t dim)
      : pool(page_bytes(DType::kF32, dim), std::size_t{1} << 30) {
    const std::size_t rows = keys.size() / kv_heads / dim;
    heads.reserve(kv_heads);
    for (std::size_t h = 0; h < kv_heads; ++h) {
      HeadCache& head = heads.emplace_back(pool, DType::kF32, dim);
      head.reserve(rows);
      for (std::size_t r = 0; r < rows; ++r) {
        const float* key = keys.data() + (h * rows + r) * dim;
        head.append(static_cast<std::int32_t>(r), key, key);
      }
      views.push_back(head.view());
    }
  }

  PagePool pool;
  std::vector<HeadCache> heads;
  std::vector<HeadRowsView> views;
};

// One query of a selector, with the rows that it sees.
struct TwinQuery {
  std::vector<float> heads;  // [query_heads][dim]
  std::size_t visible = 0;
};

struct TwinInput {
  std::vector<std::vector<std::vector<float>>> keys;  // [kv_heads][rows][dim]
  std::vector<TwinQuery> queries;                     // a query asked twice stands here twice
  std::size_t query_heads = 0, first_candidate = 0, window = 0;
};

inline std::vector<double> twin_softmax(const std::vector<double>& logits) {
  double largest = logits.empty() ? 0.0 : logits[0];
  for (double x : logits) largest = std::max(largest, x);
  std::vector<double> out;
  double sum = 0;
  for (double x : logits) sum += std::exp(x - largest);
  for (double x : logits) out.push_back(std::exp(x - largest) / sum);
  return out;
}

// Over all heads (layer) or those of each KV head: [lists][rows]
inline std::vector<std::vector<double>> twin_aggregate(
    const std::vector<std::vector<double>>& heads /* [heads][rows] */, std::size_t kv_heads,
    KvGranularity granularity, KvAggregation aggregation) {
  const std::size_t lists = granularity == KvGranularity::kLayer ? 1 : kv_heads;
  const std::size_t share = heads.size() / lists;
  std::vector<std::vector<double>> out;
  for (std::size_t head = 0; head < heads.size(); ++head) {
    if (head % share == 0) {
      out.push_back(heads[head]);
      continue;
    }
    std::vector<double>& list = out.back();
    for (std::size_t r = 0; r < list.size(); ++r) {
      list[r] = aggregation == KvAggregation::kMax ? std::max(list[r], heads[head][r])
                                                   : list[r] + heads[head][r];
    }
  }
  if (aggregation != KvAggregation::kMean) return out;
  for (std::vector<double>& list : out) {
    for (double& score : list) score /= static_cast<double>(share);
  }
  return out;
}

// Of scores that are never negative.
inline std::vector<double> twin_pool(const std::vector<double>& raw, KvPool pool,
                                     std::size_t kernel) {
  if (pool == KvPool::kNone) return raw;
  const auto half = static_cast<std::ptrdiff_t>(kernel / 2);
  const auto size = static_cast<std::ptrdiff_t>(raw.size());
  std::vector<double> pooled;
  for (std::ptrdiff_t i = 0; i < size; ++i) {
    double sum = 0, most = 0;
    for (std::ptrdiff_t j = i - half; j <= i + half; ++j) {
      const double score = j < 0 || j >= size ? 0.0 : raw[static_cast<std::size_t>(j)];
      sum += score;
      most = std::max(most, score);
    }
    pooled.push_back(pool == KvPool::kAvg ? sum / static_cast<double>(kernel) : most);
  }
  return pooled;
}

inline double twin_dot(const float* a, const float* b, std::size_t dim) {
  double dot = 0;
  for (std::size_t d = 0; d < dim; ++d) dot += double{a[d]} * double{b[d]};
  return dot;
}

// Pooled candidate scores: one list per layer, or one per KV head.
inline std::vector<std::vector<double>> twin_scores(const TwinInput& in, const KvOptions& o) {
  const std::size_t kv_heads = in.keys.size(), rows = in.keys[0].size();
  const std::size_t dim = in.keys[0][0].size(), group = in.query_heads / kv_heads;
  const std::size_t begin = in.first_candidate, end = rows - in.window;
  std::vector<std::vector<double>> heads(in.query_heads, std::vector<double>(end - begin));
  for (std::size_t head = 0; head < in.query_heads; ++head) {
    for (const TwinQuery& query : in.queries) {
      const bool full = o.softmax == KvSoftmax::kFull;
      const std::size_t from = full ? 0 : begin;
      const std::size_t to = full ? query.visible : std::min(query.visible, end);
      std::vector<double> logits;
      for (std::size_t r = from; r < to; ++r) {
        logits.push_back(
            twin_dot(query.heads.data() + head * dim, in.keys[head / group][r].data(), dim) /
            std::sqrt(static_cast<double>(dim)));
      }
      const std::vector<double> weights = twin_softmax(logits);
      for (std::size_t r = begin; r < std::min(end, to); ++r) {
        heads[head][r - begin] += weights[r - from];
      }
    }
  }
  auto lists = twin_aggregate(heads, kv_heads, o.granularity, o.aggregation);
  for (std::vector<double>& list : lists) list = twin_pool(list, o.pool, o.kernel);
  return lists;
}

// Whether `chosen` (candidate indices) are the `keep` best: exactly those wherever scores are
// further than 1e-5 of `scale` from the threshold. 0: the largest score.
inline bool are_best(const std::vector<double>& scores, const std::vector<std::int32_t>& chosen,
                     std::size_t keep, double scale = 0) {
  if (chosen.size() != keep || keep > scores.size()) return false;
  std::vector<double> sorted = scores;
  std::sort(sorted.begin(), sorted.end(), std::greater<>());
  if (keep == 0 || keep == scores.size()) return true;
  std::vector<bool> kept(scores.size(), false);
  for (std::int32_t i : chosen) kept[static_cast<std::size_t>(i)] = true;
  const double noise = 1e-5 * (scale > 0 ? scale : sorted[0]);
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (kept[i] && scores[i] < sorted[keep] - noise) return false;
    if (kept[i] && scores[i] < sorted[keep - 1] - noise) return false;
    if (!kept[i] && scores[i] > sorted[keep - 1] + noise) return false;
    if (!kept[i] && scores[i] > sorted[keep] + noise) return false;
  }
  return true;
}

}  // namespace laconic::test
