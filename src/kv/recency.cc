// SPDX-License-Identifier: Apache-2.0
#include "kv/recency.h"

#include <numeric>
#include <vector>

namespace laconic {

Selection recency_select(const Trigger& trigger, const Regions& regions) {
  std::vector<std::int32_t> newest(kept_candidates(trigger, regions));
  std::iota(newest.begin(), newest.end(),
            static_cast<std::int32_t>(regions.candidates() - newest.size()));
  return {std::vector(trigger.heads.size(), keep_list(regions, newest)), {}};
}

}  // namespace laconic
