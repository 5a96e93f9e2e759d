// SPDX-License-Identifier: Apache-2.0
#include "kv/trigger.h"

#include <cassert>

namespace laconic {

Regions regions_of(const Trigger& trigger, const KvOptions& options) {
  Regions regions;
  regions.rows = trigger.heads.front().rows;
  regions.window = options.window;
  regions.first_candidate = trigger.protected_rows;
  assert(trigger.stay <= regions.rows);
  assert(regions.first_candidate + regions.window <= trigger.stay);
  return regions;
}

std::size_t kept_candidates(const Trigger& trigger, const Regions& regions) {
  return trigger.stay - regions.first_candidate - regions.window;
}

AttentionQuestion question_of(const Trigger& trigger) {
  assert(trigger.query_count > 0 && trigger.query_heads % trigger.heads.size() == 0);
  assert(trigger.queries.size() ==
         trigger.query_heads * trigger.query_count * trigger.heads.front().head_dim);
  AttentionQuestion question;
  question.heads = trigger.heads;
  question.queries = trigger.queries.data();
  question.count = trigger.query_count;
  question.query_heads = trigger.query_heads;
  return question;
}

}  // namespace laconic
