// SPDX-License-Identifier: Apache-2.0
#include "kv/rpc.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <numeric>

#include "kernels/elementwise.h"

namespace laconic {
namespace {

// Logits of this many queries are held at once: enough for key_logits to read each key from memory
// once for many queries, little enough that a long cache needs megabytes only.
constexpr std::size_t kQueryBlock = 16;

struct Rows {
  std::size_t begin, end;
  std::size_t size() const { return end - begin; }
};

Regions regions_of(const RpcInput& input) {
  const std::size_t rows = input.heads.front().rows;
  assert(input.first_candidate + input.window <= rows);
  return {rows, input.first_candidate, input.window};
}

}  // namespace

Selector selector_for(const KvOptions& options, std::size_t rounds) {
  switch (options.selector) {
    case KvSelector::kExact:
      return {options.window, 1.0f};
    case KvSelector::kLast:
      return {1, 1.0f};
    case KvSelector::kReference:
      break;
  }
  const std::size_t cached = options.window - 1;
  const std::size_t distinct = rounds == 0 ? cached : std::min(cached, options.interval);
  return distinct == 0 ? Selector{1, 1.0f} : Selector{distinct, 2.0f};
}

std::vector<float> rpc_head_scores(const RpcInput& input, KvSoftmax softmax) {
  const Regions regions = regions_of(input);
  const Rows wanted{regions.first_candidate, regions.window_begin()};
  const std::size_t rows = regions.rows;
  const std::size_t dim = input.heads.front().head_dim;
  const std::size_t count = input.query_count;
  const std::size_t group = input.query_heads / input.heads.size();
  const std::size_t group_queries = group * count;
  const float scale = 1.0f / std::sqrt(static_cast<float>(dim));
  // The keys that logits are needed of.
  const Rows keys = softmax == KvSoftmax::kFull ? Rows{0, rows} : wanted;

  std::vector<float> scores(input.query_heads * wanted.size());
  std::vector<float> logits(std::min(kQueryBlock, group_queries) * keys.size());
  for (std::size_t kv_head = 0; kv_head < input.heads.size(); ++kv_head) {
    assert(input.heads[kv_head].rows == rows);
    const float* queries = input.queries + kv_head * group_queries * dim;
    for (std::size_t first = 0; first < group_queries; first += kQueryBlock) {
      const std::size_t block = std::min(kQueryBlock, group_queries - first);
      key_logits(input.heads[kv_head], keys.begin, keys.end, queries + first * dim, block, scale,
                 logits.data());
      for (std::size_t i = 0; i < block; ++i) {
        const std::size_t query = (first + i) % count;
        const std::size_t head = kv_head * group + (first + i) / count;
        const std::size_t visible =
            softmax == KvSoftmax::kFull ? rows - count + query + 1 : keys.size();
        float* attention = logits.data() + i * keys.size();
        softmax_in_place(attention, visible);
        const float weight = query + 1 == count ? input.newest_weight : 1.0f;
        const float* from = attention + (wanted.begin - keys.begin);
        float* to = scores.data() + head * wanted.size();
        for (std::size_t row = 0; row < wanted.size(); ++row) to[row] += weight * from[row];
      }
    }
  }
  return scores;
}

std::vector<std::vector<float>> aggregate_scores(std::span<const float> head_scores,
                                                 std::size_t query_heads, std::size_t kv_heads,
                                                 KvGranularity granularity) {
  const std::size_t lists = granularity == KvGranularity::kLayer ? 1 : kv_heads;
  const std::size_t heads = query_heads / lists;  // that one list averages over
  const std::size_t rows = head_scores.size() / query_heads;
  std::vector<std::vector<float>> means(lists, std::vector<float>(rows));
  for (std::size_t head = 0; head < query_heads; ++head) {
    std::vector<float>& mean = means[head / heads];
    for (std::size_t row = 0; row < rows; ++row) mean[row] += head_scores[head * rows + row];
  }
  for (std::vector<float>& mean : means) {
    for (float& score : mean) score /= static_cast<float>(heads);
  }
  return means;
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
  const auto ranks_before = [&](std::int32_t a, std::int32_t b) {
    const float left = scores[static_cast<std::size_t>(a)];
    const float right = scores[static_cast<std::size_t>(b)];
    if (std::isnan(left) != std::isnan(right)) return std::isnan(right);
    if (left > right || left < right) return left > right;
    return a < b;
  };
  std::vector<std::int32_t> indices(scores.size());
  std::iota(indices.begin(), indices.end(), 0);
  if (count < indices.size()) {
    const auto end = indices.begin() + static_cast<std::ptrdiff_t>(count);
    std::nth_element(indices.begin(), end, indices.end(), ranks_before);
    indices.erase(end, indices.end());
    std::sort(indices.begin(), indices.end());
  }
  return indices;
}

Selection rpc_select(const RpcInput& input, const KvOptions& options) {
  const std::vector<float> head_scores = rpc_head_scores(input, options.softmax);
  Selection selection;
  for (const std::vector<float>& list :
       aggregate_scores(head_scores, input.query_heads, input.heads.size(), options.granularity)) {
    selection.scores.push_back(pool_scores(list, options.pool, options.kernel));
    selection.kept.push_back(
        keep_list(regions_of(input), top_indices(selection.scores.back(), input.keep)));
  }
  selection.kept.resize(input.heads.size(), selection.kept.front());
  return selection;
}

}  // namespace laconic
