// SPDX-License-Identifier: Apache-2.0
#include "kv/rpc.h"

#include <algorithm>

#include "kv/scores.h"

namespace laconic {

Selector selector_for(const KvOptions& options, std::size_t rounds) {
  switch (options.selector) {
    case KvSelector::kExact:
      return {options.window, 1.0f};
    case KvSelector::kLast:
      return {1, 1.0f};
    case KvSelector::kReference:
      break;
  }
  const std::size_t cached = options.window - 1;
  const std::size_t distinct = rounds == 0 ? cached : std::min(cached, options.interval);
  return distinct == 0 ? Selector{1, 1.0f} : Selector{distinct, 2.0f};
}

Selection rpc_select(const Trigger& trigger, const Regions& regions, const KvOptions& options) {
  AttentionQuestion question = question_of(trigger);
  question.newest_weight = selector_for(options, trigger.round).newest_weight;
  return select_by_attention(question, regions, kept_candidates(trigger, regions), options);
}

}  // namespace laconic
