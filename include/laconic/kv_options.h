// SPDX-License-Identifier: Apache-2.0
// Which rows of the KV cache stay while decoding: when, how many, and who chooses.
//
// Schedule and ranking are two things. The schedule, common to all policies, says when a
// compression is due and how many rows of a KV head it leaves: by `ratio` (of every `interval`
// generated rows `interval / ratio` stay) or by `budget` (at most so many rows at rest). The policy
// only ranks the candidates, so that all of them hold equally many rows at equal settings.
// docs/kv-compression.md says what each policy is, with its paper.
//
// Heads can differ: with `heads` the KV heads that rank highest keep what the policy leaves them,
// the others a constant number of rows (RLKV, arXiv 2510.08525).
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace laconic {

enum class KvPolicy {
  kFull,       // every row stays
  kRpc,        // what the latest `window` queries attend to
  kRandom,     // drawn: what every ranking has to beat
  kStreaming,  // the first `sink` rows and the newest ones
  kRecency,    // the newest rows
  kKnorm,      // the keys of smallest length
  kH2o,        // most attention received so far, and the newest rows
  kTova,       // what the latest query attends to
  kSnapKv,     // what the last `window` queries attend to, per KV head
  kRkv,        // the same, minus rows that resemble others
};
enum class KvType { kF32, kF16, kBF16, kQ8_0 };  // kQ8_0: head_dim is a multiple of 32
enum class KvPool { kAvg, kMax, kNone };
enum class KvGranularity {
  kLayer,   // one keep-list for all KV heads of a layer, from the scores of all query heads
  kKvHead,  // one keep-list per KV head, from the scores of its query heads
};
enum class KvAggregation { kMean, kMax, kSum };  // over the query heads that share a list
enum class KvSelector {
  kExact,      // the `window` most recent queries, as the paper says
  kReference,  // what the published code does: window-1 distinct queries, the newest counted twice
  kLast,       // the current query only
};
enum class KvSoftmax {
  kCandidates,  // attention weights renormalised over the candidate rows
  kFull,        // over all rows that the query sees
};
enum class KvPositions {
  kAbsolute,  // a row is seen at its place in the text
  kCache,     // streaming, recency: a row is seen at its distance in the cache
};
enum class KvPhase {
  kAll,     // at the prompt's end and while decoding
  kPrompt,  // snapkv as published: the prompt once, generated rows all stay
};

struct KvOptions {
  KvPolicy policy = KvPolicy::kFull;
  KvType type = KvType::kF16;  // element type of the rows

  // The schedule: every policy that evicts.
  std::size_t interval = 1024;  // P: generated tokens between compressions
  std::size_t window = 32;      // R: most recent rows, always kept; their queries score
  double ratio = 4.0;           // c in [1, P]: floor(P / c) rows of each interval stay
  std::size_t cap = 0;          // by ratio: most candidate rows kept at a compression; 0 = no cap
  std::size_t budget = 0;       // rows of a KV head at rest, all counted; 0: by ratio
  std::size_t sink = 0;         // first rows of the text that always stay
  bool protect_prompt = true;   // false: prompt rows are candidates too
  KvGranularity granularity = KvGranularity::kLayer;
  KvPhase phase = KvPhase::kAll;

  // The ranking.
  KvAggregation aggregation = KvAggregation::kMean;  // rpc, h2o, tova, snapkv; rkv: on logits
  std::size_t kernel = 7;                            // odd width of the pooling over neighbours
  KvPool pool = KvPool::kAvg;  // rpc, snapkv, rkv; zero padding counted in the average
  KvSelector selector = KvSelector::kExact;    // rpc
  KvSoftmax softmax = KvSoftmax::kCandidates;  // rpc, snapkv, rkv
  // h2o: newest rows kept beside the heavy ones, the window among them; 0: half of what stays.
  std::size_t recent = 0;
  double decay = 1.0;       // h2o: what an older sum is multiplied by at each token, in (0, 1]
  double lambda = 0.1;      // rkv: weight of importance against redundancy, in [0, 1]
  double similarity = 0.5;  // rkv: cosine above which two keys resemble each other, in [0, 1]
  KvPositions positions = KvPositions::kAbsolute;  // streaming, recency
  // random: a draw is fixed by the seed, the text in front of the answer, SamplingOptions::stream,
  // layer, KV head and round: never by what else is in the batch.
  std::uint64_t seed = 0;

  // Heads that differ. `heads`: a table of one score per (layer, KV head), as RLKV
  // (adapter_weights.tsv) and DuoAttention (full_attention_heads.tsv) publish them, or
  // "random:SEED"; empty: all heads are alike. One of `sparsity` (share of heads that are made
  // constant, a decimal number as text because the choice is exact) and `heads_threshold` (least
  // score of a full head) is given.
  std::string heads;
  std::string sparsity;
  std::string heads_threshold;
  std::size_t head_sink = 16;    // a constant head's first rows, ...
  std::size_t head_recent = 64;  // ... and its newest ones, the current token's included

  bool evicts() const { return policy != KvPolicy::kFull; }
  bool by_budget() const { return budget != 0; }

  // That policy's defaults on the schedule that all share: start from these.
  // docs/kv-compression.md has the settings as published.
  static KvOptions of(KvPolicy policy);

  // Text form: policy name and its options by their flag names without "--kv-", e.g. "interval";
  // "protect_prompt" is "protect-prompt". What is not named is as in of(). With "heads" the names
  // "sink" and "recent" mean head_sink and head_recent. Error(kUsage) names an unknown policy, an
  // option that the policy does not have, and a value outside its range, with what is allowed.
  // Numbers that are kept as text come out in their shortest form: "0.5" of ".50".
  static KvOptions parse(std::string_view policy,
                         const std::map<std::string, std::string>& options);

  // Throws Error(kUsage) for values that cannot work together (window 0, ratio below 1, ...).
  void validate() const;

  std::string policy_name() const;                    // "full", "rpc", "random", ...
  std::map<std::string, std::string> to_map() const;  // what parse would take
};

}  // namespace laconic
