// SPDX-License-Identifier: Apache-2.0
// The newest candidates stay: `recency`, and StreamingLLM (arXiv 2309.17453) with the sinks that
// its options protect. Which positions a query sees streaming's rows at is attention's business
// (KvPositions).
#pragma once

#include "kv/selection.h"
#include "kv/trigger.h"

namespace laconic {

// One list for all KV heads: nothing of them is looked at.
Selection recency_select(const Trigger& trigger, const Regions& regions);

}  // namespace laconic
