// SPDX-License-Identifier: Apache-2.0
#include "engine/head_choice.h"

#include <utility>

#include "base/error.h"
#include "io/head_table.h"

namespace laconic {

HeadScores head_scores(const std::string& heads, const KvShape& shape) {
  if (const auto seed = random_heads_seed(heads)) {
    return random_head_scores(shape.layers, shape.kv_heads, *seed);
  }
  HeadTable table = load_head_table(heads);
  HeadScores scores{table.layers, table.kv_heads, std::move(table.scores)};
  require_shape(scores, shape.layers, shape.kv_heads, heads);
  return scores;
}

std::optional<HeadSet> choose_heads(const KvOptions& options, const KvShape& shape) {
  if (options.heads.empty()) return std::nullopt;
  HeadSet full = full_heads_of(head_scores(options.heads, shape), options);
  if (options.evicts() && full.count() == 0) {
    throw_usage("--kv-policy {} has no full head to work on at {} {}; use --kv-policy full",
                options.policy_name(),
                options.sparsity.empty() ? "--kv-heads-threshold" : "--kv-sparsity",
                options.sparsity.empty() ? options.heads_threshold : options.sparsity);
  }
  return full;
}

}  // namespace laconic
