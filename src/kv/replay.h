// SPDX-License-Identifier: Apache-2.0
// A policy on plain arrays: what it would keep of given keys. For people who want to check or study
// a policy without a model.
//
// Promises the very arithmetic of the engine (queries_asked, rows_that_stay, add_received,
// select_rows). What is drawn is drawn as for layer 0 of sequence 0. Refuses shapes that contradict
// each other or the options, values that are not finite, and a policy without what it looks at:
// rpc, snapkv, rkv: queries; h2o: attention; tova: one of the two; the others: keys alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "laconic/kv_options.h"

namespace laconic {

struct ReplayInput {
  std::span<const float> keys;     // [kv_heads][rows][head_dim], post-RoPE
  std::span<const float> queries;  // [heads][window][head_dim], post-RoPE, oldest first, or nothing
  std::size_t kv_heads = 0, rows = 0, head_dim = 0, heads = 0, window = 0;
  std::size_t prompt_rows = 0;
  std::size_t round = 0;  // compressions already done
  // [heads][steps][rows] weights of the steps since the rows were last compressed, oldest first, or
  // nothing. 0 where a step did not see a row yet.
  std::span<const float> attention = {};
  std::size_t steps = 0;
};

struct ReplayResult {
  std::vector<std::vector<std::int32_t>> kept;  // absolute rows, ascending: [kv_heads][kept]
  std::vector<std::vector<float>> scores;       // [1 or kv_heads][candidates] of policies that rank
  std::size_t candidate_start = 0;              // the row that scores begin at; `full`: rows
};

// Error(kInput) for arrays that are malformed, Error(kUsage) for options that do not fit them.
ReplayResult replay_policy(const ReplayInput& input, const KvOptions& options);

}  // namespace laconic
