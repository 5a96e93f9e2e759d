// SPDX-License-Identifier: Apache-2.0
#include "kv/tova.h"

#include <cassert>
#include <vector>

#include "kv/scores.h"

namespace laconic {
namespace {

Selection select(std::span<const float> scores /* [query_heads][candidates] */,
                 const Trigger& trigger, const Regions& regions, const KvOptions& options) {
  const std::size_t kv_heads = trigger.heads.size();
  return select_top(regions,
                    aggregate_scores(scores, trigger.query_heads, kv_heads, options.granularity,
                                     options.aggregation),
                    kept_candidates(trigger, regions), kv_heads);
}

}  // namespace

Selection tova_select(const Trigger& trigger, const Regions& regions, const KvOptions& options) {
  assert(trigger.query_count == 1);
  return select(attention_scores(question_of(trigger), regions, KvSoftmax::kFull), trigger, regions,
                options);
}

Selection tova_select_weights(std::span<const float> weights, const Trigger& trigger,
                              const Regions& regions, const KvOptions& options) {
  assert(weights.size() == trigger.query_heads * regions.rows);
  std::vector<float> scores;
  scores.reserve(trigger.query_heads * regions.candidates());
  for (std::size_t head = 0; head < trigger.query_heads; ++head) {
    const float* row = weights.data() + head * regions.rows;
    scores.insert(scores.end(), row + regions.first_candidate, row + regions.window_begin());
  }
  return select(scores, trigger, regions, options);
}

}  // namespace laconic
