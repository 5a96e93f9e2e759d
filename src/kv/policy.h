// SPDX-License-Identifier: Apache-2.0
// From the name of a policy to its ranking: the one place that tells them apart at a trigger.
//
// A pure function over spans, shared by engine and replay. When a trigger comes and how many rows
// stay is the schedule's business (kv/schedule.h). One file per ranking: rpc, tova, snapkv, rkv,
// h2o, knorm, recency (also streaming), random. What they are told: kv/trigger.h.
#pragma once

#include <cstddef>

#include "kv/selection.h"
#include "kv/trigger.h"
#include "laconic/kv_options.h"

namespace laconic {

// How many of the newest queries the policy looks at in that round; 0: it never looks at any.
std::size_t queries_asked(const KvOptions& options, std::size_t round);

// Whether the policy needs the attention that rows receive at every step.
bool wants_attention(const KvOptions& options);

// PRECONDITION: the policy is not `full`, which has no triggers.
Selection select_rows(const Trigger& trigger, const KvOptions& options);

}  // namespace laconic
