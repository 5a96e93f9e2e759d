// SPDX-License-Identifier: Apache-2.0
// RPC's ranking as pure functions over spans (arXiv 2505.13866, section 3.2, equations 1-3, and the
// released code where the two differ). No model, no threads, no I/O: engine, replay, tests and
// trainer share them. The window's queries judge the candidates (regions: kv/selection.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/attention.h"
#include "kv/selection.h"
#include "laconic/kv_options.h"

namespace laconic {

struct RpcInput {
  std::span<const HeadRowsView> heads;  // [kv_heads], equal rows at layer granularity
  const float* queries = nullptr;       // [heads][query_count][head_dim], post-RoPE, oldest first
  std::size_t query_count = 0;          // queries of the newest query_count rows
  float newest_weight = 1.0f;           // how often the newest query counts
  std::size_t query_heads = 0;          // a multiple of heads.size()
  std::size_t first_candidate = 0;
  std::size_t window = 0;
  std::size_t keep = 0;  // candidates to keep
};

// Which of the most recent queries are asked, and how often the newest one counts.
struct Selector {
  std::size_t queries = 0;
  float newest_weight = 1.0f;
};

// `rounds`: compressions already done. The published code caches `window` - 1 queries before each
// compression, forgets them after it, and asks the newest one a second time.
Selector selector_for(const KvOptions& options, std::size_t rounds);

// Attention weights summed over the queries, one row per query head. [query_heads][candidates].
// With KvSoftmax::kFull query q (of Q) sees rows [0, rows - Q + q + 1).
std::vector<float> rpc_head_scores(const RpcInput& input, KvSoftmax softmax);

// Mean over query heads: all of them (layer) or those of each KV head. [lists][candidates]
std::vector<std::vector<float>> aggregate_scores(std::span<const float> head_scores,
                                                 std::size_t query_heads, std::size_t kv_heads,
                                                 KvGranularity granularity);

// 1-D pooling, stride 1, odd `kernel`, symmetric padding: zeros counted by avg, ignored by max.
std::vector<float> pool_scores(std::span<const float> scores, KvPool pool, std::size_t kernel);

// Indices of the `count` largest scores, ascending; ties go to the lower index. NaN ranks last.
std::vector<std::int32_t> top_indices(std::span<const float> scores, std::size_t count);

// The whole ranking, with the pooled scores. All KV heads share one list at layer granularity.
Selection rpc_select(const RpcInput& input, const KvOptions& options);

}  // namespace laconic
