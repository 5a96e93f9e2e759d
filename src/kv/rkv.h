// SPDX-License-Identifier: Apache-2.0
// R-KV's ranking (arXiv 2505.24133): importance minus redundancy. What the last `window` queries
// attend to speaks for a row, its likeness to other keys against it:
//   Z = lambda * importance - (1 - lambda) * redundancy
//
// Without the released code's defects: kept rows are in the order of the text, so that the latest
// similar row is the newest one in the second round too; a row that resembles no other changes
// nothing (there it clears the first row's column); every sequence has its own redundancy.
#pragma once

#include <cstddef>
#include <vector>

#include "kernels/attention.h"
#include "kv/scores.h"
#include "kv/selection.h"
#include "kv/trigger.h"
#include "laconic/kv_options.h"

namespace laconic {

// Of one KV head's candidates: the logits of its query heads taken together (options.aggregation,
// the largest by default), softmax, mean over the queries, pooling. [candidates]
std::vector<float> rkv_importance(const AttentionQuestion& question, std::size_t kv_head,
                                  const Regions& regions, const KvOptions& options);

// Of all rows of one KV head: the mean cosine of a row's key with every other row's, where each row
// leaves out the newest one that it resembles (cosine above `similarity`), so that of rows that
// repeat each other the newest looks least redundant; softmax over the rows. [rows]
//
// O(rows^2 head_dim) time, O(rows) memory: cosines are made a page of rows at a time.
std::vector<float> rkv_redundancy(const HeadRowsView& head, double similarity);

// Whether attention has a weight; without it no query is asked.
inline bool rkv_wants_importance(const KvOptions& options) { return options.lambda > 0; }

// At layer granularity the KV heads' Z are averaged.
Selection rkv_select(const Trigger& trigger, const Regions& regions, const KvOptions& options);

}  // namespace laconic
