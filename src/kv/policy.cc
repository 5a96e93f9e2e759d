// SPDX-License-Identifier: Apache-2.0
#include "kv/policy.h"

#include <cassert>

#include "kv/h2o.h"
#include "kv/knorm.h"
#include "kv/random.h"
#include "kv/recency.h"
#include "kv/rkv.h"
#include "kv/rpc.h"
#include "kv/snapkv.h"
#include "kv/tova.h"

namespace laconic {

std::size_t queries_asked(const KvOptions& options, std::size_t round) {
  switch (options.policy) {
    case KvPolicy::kRpc:
      return selector_for(options, round).queries;
    case KvPolicy::kTova:
      return 1;
    case KvPolicy::kSnapKv:
      return options.window;
    case KvPolicy::kRkv:
      return rkv_wants_importance(options) ? options.window : 0;
    case KvPolicy::kFull:
    case KvPolicy::kRandom:
    case KvPolicy::kStreaming:
    case KvPolicy::kRecency:
    case KvPolicy::kKnorm:
    case KvPolicy::kH2o:
      break;
  }
  return 0;
}

bool wants_attention(const KvOptions& options) { return options.policy == KvPolicy::kH2o; }

Selection select_rows(const Trigger& trigger, const KvOptions& options) {
  const Regions regions = regions_of(trigger, options);
  switch (options.policy) {
    case KvPolicy::kRpc:
      return rpc_select(trigger, regions, options);
    case KvPolicy::kRandom:
      assert(trigger.head_ids.size() == trigger.heads.size());
      return random_select(regions, kept_candidates(trigger, regions), trigger.head_ids,
                           {trigger.sequence, trigger.layer, trigger.round}, options);
    case KvPolicy::kStreaming:
    case KvPolicy::kRecency:
      return recency_select(trigger, regions);
    case KvPolicy::kKnorm:
      return knorm_select(trigger, regions, options);
    case KvPolicy::kH2o:
      return h2o_select(trigger, regions, options);
    case KvPolicy::kTova:
      return tova_select(trigger, regions, options);
    case KvPolicy::kSnapKv:
      return snapkv_select(trigger, regions, options);
    case KvPolicy::kRkv:
      return rkv_select(trigger, regions, options);
    case KvPolicy::kFull:
      break;
  }
  assert(false && "a policy without triggers");
  return {};
}

}  // namespace laconic
