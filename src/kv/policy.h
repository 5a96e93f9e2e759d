// SPDX-License-Identifier: Apache-2.0
// From the name of a policy to its ranking: the one place that tells them apart at a trigger.
//
// A pure function over spans, shared by engine and replay. When a trigger comes and how many
// candidates stay is the schedule's business (kv/schedule.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/attention.h"
#include "kv/selection.h"
#include "laconic/kv_options.h"

namespace laconic {

// One layer of one sequence when a compression is due.
struct Trigger {
  std::span<const HeadRowsView> heads;  // [kv_heads]
  std::span<const float> queries;       // [query_heads][queries_asked()][head_dim], oldest first
  std::size_t query_heads = 0;
  std::size_t first_candidate = 0;
  std::size_t keep = 0;   // candidates that stay
  std::size_t round = 0;  // compressions already done in this generation
  std::size_t layer = 0;  // with `sequence`, what draws are keyed by
  std::uint64_t sequence = 0;
};

// How many of the newest queries the policy looks at in that round; 0: it never looks at any.
std::size_t queries_asked(const KvOptions& options, std::size_t round);

// PRECONDITION: the policy is not `full`, which has no triggers.
Selection select_rows(const Trigger& trigger, const KvOptions& options);

}  // namespace laconic
