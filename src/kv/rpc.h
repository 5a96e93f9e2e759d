// SPDX-License-Identifier: Apache-2.0
// RPC's ranking (arXiv 2505.13866, section 3.2, equations 1-3, and the released code where the two
// differ): what the window's queries attend to, averaged over heads and over neighbouring rows. The
// parts are in kv/scores.h; which queries are asked is said here.
#pragma once

#include <cstddef>

#include "kv/selection.h"
#include "kv/trigger.h"
#include "laconic/kv_options.h"

namespace laconic {

// Which of the most recent queries are asked, and how often the newest one counts.
struct Selector {
  std::size_t queries = 0;
  float newest_weight = 1.0f;
};

// `rounds`: compressions already done. The published code caches `window` - 1 queries before each
// compression, forgets them after it, and asks the newest one a second time.
Selector selector_for(const KvOptions& options, std::size_t rounds);

// All KV heads share one list at layer granularity.
Selection rpc_select(const Trigger& trigger, const Regions& regions, const KvOptions& options);

}  // namespace laconic
