// SPDX-License-Identifier: Apache-2.0
// H2O's ranking (arXiv 2306.14048): the rows that received most attention so far, summed over all
// steps, and beside them the newest ones by force. A KV head's query heads are taken together
// (options.aggregation, the sum by default), so that each KV head has one list.
//
// Sums favour old rows, which had more steps to collect; options.decay below 1 forgets, which is
// not in the paper.
#pragma once

#include <cstddef>
#include <vector>

#include "kv/selection.h"
#include "kv/trigger.h"
#include "laconic/kv_options.h"

namespace laconic {

// One step's weights of one KV head are added to what its rows have received. Rows that are new
// start with what they get here. Head g of the group has its weights at weights + g * stride.
void add_received(std::vector<float>& sums, const float* weights /* [group], each [rows] */,
                  std::size_t rows, std::size_t group, std::size_t stride,
                  const KvOptions& options);

// How many of the newest candidates stay whatever they received: options.recent rows, the window
// among them, or half of what stays outside the protected first rows.
std::size_t recent_candidates(const Trigger& trigger, const Regions& regions,
                              const KvOptions& options);

// By trigger.received. At layer granularity the KV heads are taken together as the query heads are.
Selection h2o_select(const Trigger& trigger, const Regions& regions, const KvOptions& options);

}  // namespace laconic
