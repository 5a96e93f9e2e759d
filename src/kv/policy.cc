// SPDX-License-Identifier: Apache-2.0
#include "kv/policy.h"

#include <cassert>

#include "kv/random.h"
#include "kv/rpc.h"

namespace laconic {
namespace {

Selection select_rpc(const Trigger& trigger, const KvOptions& options) {
  const Selector selector = selector_for(options, trigger.round);
  assert(trigger.queries.size() ==
         trigger.query_heads * selector.queries * trigger.heads.front().head_dim);
  RpcInput input;
  input.heads = trigger.heads;
  input.queries = trigger.queries.data();
  input.query_count = selector.queries;
  input.newest_weight = selector.newest_weight;
  input.query_heads = trigger.query_heads;
  input.first_candidate = trigger.first_candidate;
  input.window = options.window;
  input.keep = trigger.keep;
  return rpc_select(input, options);
}

Selection select_random(const Trigger& trigger, const KvOptions& options) {
  const Regions regions{trigger.heads.front().rows, trigger.first_candidate, options.window};
  return random_select(regions, trigger.keep, trigger.heads.size(),
                       {trigger.sequence, trigger.layer, trigger.round}, options);
}

}  // namespace

std::size_t queries_asked(const KvOptions& options, std::size_t round) {
  switch (options.policy) {
    case KvPolicy::kRpc:
      return selector_for(options, round).queries;
    case KvPolicy::kFull:
    case KvPolicy::kRandom:
      break;
  }
  return 0;
}

Selection select_rows(const Trigger& trigger, const KvOptions& options) {
  switch (options.policy) {
    case KvPolicy::kRpc:
      return select_rpc(trigger, options);
    case KvPolicy::kRandom:
      return select_random(trigger, options);
    case KvPolicy::kFull:
      break;
  }
  assert(false && "a policy without triggers");
  return {};
}

}  // namespace laconic
