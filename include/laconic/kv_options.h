// SPDX-License-Identifier: Apache-2.0
// Which rows of the KV cache stay while decoding.
//
// `full` keeps every row. `rpc` is Reasoning Path Compression (arXiv 2505.13866): every `interval`
// generated tokens the rows that the latest `window` queries attend to are kept, so that of each
// interval `interval / ratio` rows stay. The prompt and the window itself are never touched.
// `random` keeps as many at the same moments, but drawn: what rpc has to beat.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace laconic {

enum class KvPolicy { kFull, kRpc, kRandom };
enum class KvType { kF32, kF16, kBF16 };
enum class KvPool { kAvg, kMax, kNone };
enum class KvGranularity {
  kLayer,   // one keep-list for all KV heads of a layer; rpc: scores averaged over all query heads
  kKvHead,  // one keep-list per KV head; rpc: scores averaged over its query heads
};
enum class KvSelector {
  kExact,      // the `window` most recent queries, as the paper says
  kReference,  // what the published code does: window-1 distinct queries, the newest counted twice
  kLast,       // the current query only
};
enum class KvSoftmax {
  kCandidates,  // attention weights renormalised over the candidate rows (published code)
  kFull,        // over all rows that the query sees
};

struct KvOptions {
  KvPolicy policy = KvPolicy::kFull;
  KvType type = KvType::kF16;  // element type of the rows
  // Every policy that evicts: when, and how many rows stay.
  std::size_t interval = 1024;  // P: generated tokens between compressions
  std::size_t window = 32;      // R: most recent rows, always kept; rpc: their queries select
  double ratio = 4.0;           // c in [1, P]: floor(P / c) rows of each interval stay
  std::size_t cap = 0;          // most candidate rows kept at a compression; 0 = no cap
  bool protect_prompt = true;   // false: prompt rows are candidates too
  KvGranularity granularity = KvGranularity::kLayer;
  // rpc: which ones.
  std::size_t kernel = 7;      // odd width of the pooling over neighbouring candidates
  KvPool pool = KvPool::kAvg;  // zero padding counted in the average, as published
  KvSelector selector = KvSelector::kExact;
  KvSoftmax softmax = KvSoftmax::kCandidates;
  // random: which ones. A draw is fixed by the seed, the text in front of the answer,
  // SamplingOptions::stream, layer, KV head and round: never by what else is in the batch.
  std::uint64_t seed = 0;

  // Text form: policy name and its options by their flag names without "--kv-", e.g. "interval";
  // "protect_prompt" is "protect-prompt". Error(kUsage) names an unknown policy, an option that the
  // policy does not have, and a value outside its range, with what is allowed.
  static KvOptions parse(std::string_view policy,
                         const std::map<std::string, std::string>& options);

  // Throws Error(kUsage) for values that cannot work together (window 0, ratio below 1, ...).
  void validate() const;

  std::string policy_name() const;                    // "full", "rpc", "random"
  std::map<std::string, std::string> to_map() const;  // what parse would take
};

}  // namespace laconic
