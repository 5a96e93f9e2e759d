// SPDX-License-Identifier: Apache-2.0
// TOVA's ranking (arXiv 2401.06104): what the latest query attends to, its weights normalised over
// all rows and averaged over the query heads, one list per layer. Without a window nothing is safe
// but the protected rows: even the newest row can go, as published.
#pragma once

#include <span>

#include "kv/selection.h"
#include "kv/trigger.h"
#include "laconic/kv_options.h"

namespace laconic {

// PRECONDITION: the trigger brings one query per head, the newest.
Selection tova_select(const Trigger& trigger, const Regions& regions, const KvOptions& options);

// The same from weights that somebody else computed.
Selection tova_select_weights(std::span<const float> weights /* [query_heads][rows] */,
                              const Trigger& trigger, const Regions& regions,
                              const KvOptions& options);

}  // namespace laconic
