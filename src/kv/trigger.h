// SPDX-License-Identifier: Apache-2.0
// What a ranking is told when a compression is due: the rows, the newest queries, what rows have
// received, and how many stay.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/attention.h"
#include "kv/scores.h"
#include "kv/selection.h"
#include "laconic/kv_options.h"

namespace laconic {

// One layer of one sequence when a compression is due.
struct Trigger {
  std::span<const HeadRowsView> heads;    // [kv_heads] that the policy is asked about, equal rows
  std::span<const std::size_t> head_ids;  // [kv_heads] which heads of the layer these are
  std::span<const float> queries;         // [query_heads][query_count][head_dim], oldest first
  std::size_t query_count = 0;            // at most queries_asked()
  std::size_t query_heads = 0;            // a multiple of heads.size()
  // h2o: attention that each row has received, of each KV head. [kv_heads][rows]
  std::span<const std::span<const float>> received;
  std::size_t protected_rows = 0;  // the first rows that stay: prompt, sinks
  std::size_t stay = 0;            // rows that stay in all; at most rows
  std::size_t round = 0;           // compressions already done in this generation
  std::size_t layer = 0;           // with `sequence`, what draws are keyed by
  std::uint64_t sequence = 0;
};

// The regions of a trigger: the newest options.window rows and the first protected_rows stay.
// PRECONDITION: `stay` rows hold both (require_budget).
Regions regions_of(const Trigger& trigger, const KvOptions& options);

// Candidates that stay beside the protected rows of `regions`.
std::size_t kept_candidates(const Trigger& trigger, const Regions& regions);

// The queries of a trigger, each counted once.
AttentionQuestion question_of(const Trigger& trigger);

}  // namespace laconic
