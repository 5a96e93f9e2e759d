// SPDX-License-Identifier: Apache-2.0
// How the tests of invariance compare two generations: forced ids, so that every step has a partner
// whatever the logits say, and the largest difference of any logit.
#pragma once

#include <cstdint>
#include <map>
#include <tuple>
#include <vector>

#include "engine/engine_testing.h"

namespace laconic::test {

// Random ids below `vocab`.
std::vector<std::int32_t> random_ids(std::size_t count, std::uint32_t seed,
                                     std::size_t vocab = 512);

// Teacher forcing over `count` random ids, with the logits of every step.
GenerateOptions forced(std::size_t count, std::uint32_t seed, std::size_t vocab = 512);

// Largest |a - b| over all logits; infinite when the shapes differ.
double largest_difference(const Generation& a, const Generation& b);
double largest_logit(const Generation& a);
// Root mean square of the change over that of the exact logits.
double relative_change(const Generation& got, const Generation& exact);

// Keep-lists of every compression by (sequence, step, layer, KV head).
using KeepLists = std::map<std::tuple<SequenceId, std::size_t, std::size_t, std::size_t>,
                           std::vector<std::int32_t>>;
// Collects them. `lists` must outlive the session's last step.
void trace_into(Session& session, KeepLists& lists);

}  // namespace laconic::test
