// SPDX-License-Identifier: Apache-2.0
#include "kv/snapkv.h"

#include "kv/scores.h"

namespace laconic {

Selection snapkv_select(const Trigger& trigger, const Regions& regions, const KvOptions& options) {
  return select_by_attention(question_of(trigger), regions, kept_candidates(trigger, regions),
                             options);
}

}  // namespace laconic
