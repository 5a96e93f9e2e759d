// SPDX-License-Identifier: Apache-2.0
// SnapKV's ranking (arXiv 2404.14469), made to go on while decoding as R-KV's paper does it: what
// the last `window` queries attend to, normalised over all rows that each of them sees, the largest
// of neighbouring rows, one list per KV head. With KvPhase::kPrompt the schedule has it compress
// the prompt once, as published.
#pragma once

#include "kv/selection.h"
#include "kv/trigger.h"
#include "laconic/kv_options.h"

namespace laconic {

Selection snapkv_select(const Trigger& trigger, const Regions& regions, const KvOptions& options);

}  // namespace laconic
