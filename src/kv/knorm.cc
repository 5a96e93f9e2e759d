// SPDX-License-Identifier: Apache-2.0
#include "kv/knorm.h"

#include <vector>

#include "kernels/attention.h"
#include "kv/scores.h"

namespace laconic {

Selection knorm_select(const Trigger& trigger, const Regions& regions, const KvOptions& options) {
  const std::size_t kv_heads = trigger.heads.size();
  const std::size_t candidates = regions.candidates();
  std::vector<float> scores(kv_heads * candidates);
  for (std::size_t h = 0; h < kv_heads; ++h) {
    key_lengths(trigger.heads[h], regions.first_candidate, regions.window_begin(),
                scores.data() + h * candidates);
  }
  for (float& score : scores) score = -score;
  return select_top(
      regions,
      aggregate_scores(scores, kv_heads, kv_heads, options.granularity, KvAggregation::kMean),
      kept_candidates(trigger, regions), kv_heads);
}

}  // namespace laconic
