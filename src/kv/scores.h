// SPDX-License-Identifier: Apache-2.0
// The parts that rankings by attention are put together from: weights of the newest queries,
// aggregation over heads, pooling over neighbours, the largest of a list. Pure functions over
// spans.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/attention.h"
#include "kv/selection.h"
#include "laconic/kv_options.h"

namespace laconic {

// Queries of the newest `count` rows, and the rows that they look at.
struct AttentionQuestion {
  std::span<const HeadRowsView> heads;  // [kv_heads], equal rows
  const float* queries = nullptr;       // [query_heads][count][head_dim], post-RoPE, oldest first
  std::size_t count = 0;                // at most the rows
  std::size_t query_heads = 0;          // a multiple of heads.size()
  float newest_weight = 1.0f;           // how often the newest query counts
};

// Logits of this many queries are held at once: enough for key_logits to read each key from memory
// once for many queries, little enough that a long cache needs megabytes only.
inline constexpr std::size_t kQueryBlock = 16;

// The rows that weights are normalised over.
struct KeyRange {
  std::size_t begin = 0, end = 0;
  std::size_t size() const { return end - begin; }
};
KeyRange keys_for(const Regions& regions, KvSoftmax softmax);

// How many keys of the range are not newer than query `query` of `count`, which stands at row
// rows - count + query.
std::size_t keys_seen(const KeyRange& keys, std::size_t rows, std::size_t count, std::size_t query);

// Attention weights of the candidates summed over the queries, one row per query head.
// [query_heads][candidates]. With KvSoftmax::kFull query q (of Q) sees rows [0, rows - Q + q + 1).
// A candidate that is newer than a query gets nothing from it.
std::vector<float> attention_scores(const AttentionQuestion& question, const Regions& regions,
                                    KvSoftmax softmax);

// Over query heads: all of them (layer) or those of each KV head. [lists][candidates]
std::vector<std::vector<float>> aggregate_scores(std::span<const float> head_scores,
                                                 std::size_t query_heads, std::size_t kv_heads,
                                                 KvGranularity granularity,
                                                 KvAggregation aggregation);

// 1-D pooling, stride 1, odd `kernel`, symmetric padding: zeros counted by avg, ignored by max.
std::vector<float> pool_scores(std::span<const float> scores, KvPool pool, std::size_t kernel);

// Indices of the `count` largest scores, ascending; ties go to the lower index. NaN ranks last.
std::vector<std::int32_t> top_indices(std::span<const float> scores, std::size_t count);

// All of the above by the options: the `keep` candidates that the queries attend to most.
Selection select_by_attention(const AttentionQuestion& question, const Regions& regions,
                              std::size_t keep, const KvOptions& options);

}  // namespace laconic
