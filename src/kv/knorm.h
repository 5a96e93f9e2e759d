// SPDX-License-Identifier: Apache-2.0
// The keys of smallest length stay (arXiv 2406.11430: such keys tend to draw attention). The score
// of a row is minus the Euclidean length of its key as stored; at layer granularity the mean over
// the KV heads.
#pragma once

#include "kv/selection.h"
#include "kv/trigger.h"
#include "laconic/kv_options.h"

namespace laconic {

Selection knorm_select(const Trigger& trigger, const Regions& regions, const KvOptions& options);

}  // namespace laconic
