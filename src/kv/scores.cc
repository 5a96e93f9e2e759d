// SPDX-License-Identifier: Apache-2.0
#include "kv/scores.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <numeric>
#include <utility>

#include "kernels/elementwise.h"

namespace laconic {
namespace {

void add_weighted(float* sums, const float* weights, std::size_t count, float factor) {
  if (factor == 1.0f) {
    add_in_place(sums, weights, count);
    return;
  }
  for (std::size_t i = 0; i < count; ++i) sums[i] += factor * weights[i];
}

// A number that is larger where the score is: equal for equal ones, least for NaN.
std::uint32_t rank_of(float score) {
  if (std::isnan(score)) return 0;
  constexpr std::uint32_t kSign = 0x80000000u;
  std::uint32_t bits = 0;
  score += 0.0f;  // of the two zeros, the positive one
  std::memcpy(&bits, &score, sizeof(bits));
  return (bits & kSign) != 0 ? ~bits : bits | kSign;
}

}  // namespace

KeyRange keys_for(const Regions& regions, KvSoftmax softmax) {
  if (softmax == KvSoftmax::kFull) return {0, regions.rows};
  return {regions.first_candidate, regions.window_begin()};
}

std::size_t keys_seen(const KeyRange& keys, std::size_t rows, std::size_t count,
                      std::size_t query) {
  const std::size_t end = rows + query + 1 - count;  // behind the query's own row
  return end > keys.begin ? std::min(end, keys.end) - keys.begin : 0;
}

std::vector<float> attention_scores(const AttentionQuestion& question, const Regions& regions,
                                    KvSoftmax softmax) {
  const std::size_t rows = regions.rows;
  const std::size_t dim = question.heads.front().head_dim;
  const std::size_t count = question.count;
  const std::size_t group = question.query_heads / question.heads.size();
  const std::size_t group_queries = group * count;
  const float scale = 1.0f / std::sqrt(static_cast<float>(dim));
  const KeyRange keys = keys_for(regions, softmax);
  const std::size_t skipped = regions.first_candidate - keys.begin;  // keys before the candidates
  const std::size_t candidates = regions.candidates();
  assert(count <= rows);

  std::vector<float> scores(question.query_heads * candidates);
  std::vector<float> logits(std::min(kQueryBlock, group_queries) * keys.size());
  for (std::size_t kv_head = 0; kv_head < question.heads.size(); ++kv_head) {
    assert(question.heads[kv_head].rows == rows);
    const float* queries = question.queries + kv_head * group_queries * dim;
    for (std::size_t first = 0; first < group_queries; first += kQueryBlock) {
      const std::size_t block = std::min(kQueryBlock, group_queries - first);
      key_logits(question.heads[kv_head], keys.begin, keys.end, queries + first * dim, block, scale,
                 logits.data());
      for (std::size_t i = 0; i < block; ++i) {
        const std::size_t query = (first + i) % count;
        const std::size_t head = kv_head * group + (first + i) / count;
        const std::size_t seen = keys_seen(keys, rows, count, query);
        if (seen <= skipped) continue;
        float* weights = logits.data() + i * keys.size();
        softmax_in_place(weights, seen);
        add_weighted(scores.data() + head * candidates, weights + skipped,
                     std::min(seen - skipped, candidates),
                     query + 1 == count ? question.newest_weight : 1.0f);
      }
    }
  }
  return scores;
}

std::vector<std::vector<float>> aggregate_scores(std::span<const float> head_scores,
                                                 std::size_t query_heads, std::size_t kv_heads,
                                                 KvGranularity granularity,
                                                 KvAggregation aggregation) {
  const std::size_t lists = granularity == KvGranularity::kLayer ? 1 : kv_heads;
  const std::size_t heads = query_heads / lists;  // that share one list
  const std::size_t rows = head_scores.size() / query_heads;
  const bool largest = aggregation == KvAggregation::kMax;
  const float nothing = largest ? -std::numeric_limits<float>::infinity() : 0.0f;
  std::vector<std::vector<float>> out(lists, std::vector<float>(rows, nothing));
  for (std::size_t head = 0; head < query_heads; ++head) {
    std::vector<float>& list = out[head / heads];
    const float* scores = head_scores.data() + head * rows;
    for (std::size_t row = 0; row < rows; ++row) {
      list[row] = largest ? std::max(list[row], scores[row]) : list[row] + scores[row];
    }
  }
  if (aggregation == KvAggregation::kMean) {
    for (std::vector<float>& list : out) {
      for (float& score : list) score /= static_cast<float>(heads);
    }
  }
  return out;
}

std::vector<float> pool_scores(std::span<const float> scores, KvPool pool, std::size_t kernel) {
  if (pool == KvPool::kNone) return {scores.begin(), scores.end()};
  const std::size_t half = kernel / 2;
  std::vector<float> pooled(scores.size());
  for (std::size_t i = 0; i < scores.size(); ++i) {
    const auto first = scores.begin() + static_cast<std::ptrdiff_t>(i - std::min(i, half));
    const auto last =
        scores.begin() + static_cast<std::ptrdiff_t>(std::min(scores.size(), i + half + 1));
    pooled[i] = pool == KvPool::kAvg
                    ? std::accumulate(first, last, 0.0f) / static_cast<float>(kernel)
                    : *std::max_element(first, last);
  }
  return pooled;
}

std::vector<std::int32_t> top_indices(std::span<const float> scores, std::size_t count) {
  count = std::min(count, scores.size());
  std::vector<std::int32_t> indices(count);
  if (count == scores.size()) std::iota(indices.begin(), indices.end(), 0);
  if (count == 0 || count == scores.size()) return indices;
  std::vector<std::uint32_t> ranks(scores.size());
  std::transform(scores.begin(), scores.end(), ranks.begin(), rank_of);
  std::vector<std::uint32_t> sorted = ranks;
  const auto last = sorted.begin() + static_cast<std::ptrdiff_t>(count - 1);
  std::nth_element(sorted.begin(), last, sorted.end(), std::greater<>());
  const std::uint32_t least = *last;  // of those that stay
  // Before it stand `count` - 1, of which some may tie.
  auto ties = count - static_cast<std::size_t>(std::count_if(
                          sorted.begin(), last, [&](std::uint32_t rank) { return rank > least; }));
  auto next = indices.begin();
  for (std::size_t i = 0; next != indices.end(); ++i) {
    if (ranks[i] < least || (ranks[i] == least && ties == 0)) continue;
    if (ranks[i] == least) --ties;
    *next++ = static_cast<std::int32_t>(i);
  }
  return indices;
}

Selection select_by_attention(const AttentionQuestion& question, const Regions& regions,
                              std::size_t keep, const KvOptions& options) {
  const std::size_t kv_heads = question.heads.size();
  std::vector<std::vector<float>> scores =
      aggregate_scores(attention_scores(question, regions, options.softmax), question.query_heads,
                       kv_heads, options.granularity, options.aggregation);
  for (std::vector<float>& list : scores) list = pool_scores(list, options.pool, options.kernel);
  return select_top(regions, std::move(scores), keep, kv_heads);
}

}  // namespace laconic
