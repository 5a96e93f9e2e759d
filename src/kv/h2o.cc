// SPDX-License-Identifier: Apache-2.0
#include "kv/h2o.h"

#include <algorithm>
#include <cassert>
#include <cstdint>
#include <span>

#include "kernels/received.h"
#include "kv/scores.h"

namespace laconic {

void add_received(std::vector<float>& sums, const float* weights, std::size_t rows,
                  std::size_t group, std::size_t stride, const KvOptions& options) {
  sums.resize(rows);
  const bool largest = options.aggregation == KvAggregation::kMax;
  const bool mean = options.aggregation == KvAggregation::kMean;
  add_received_weights({.weights = weights,
                        .rows = rows,
                        .group = group,
                        .stride = stride,
                        .of_group = largest ? GroupWeight::kLargest : GroupWeight::kSum,
                        .decay = static_cast<float>(options.decay),
                        .share = mean ? 1.0f / static_cast<float>(group) : 1.0f},
                       sums.data());
}

std::size_t recent_candidates(const Trigger& trigger, const Regions& regions,
                              const KvOptions& options) {
  const std::size_t recent =
      options.recent != 0 ? options.recent : (trigger.stay - regions.first_candidate) / 2;
  const std::size_t beside_window = recent > regions.window ? recent - regions.window : 0;
  return std::min(beside_window, kept_candidates(trigger, regions));
}

Selection h2o_select(const Trigger& trigger, const Regions& regions, const KvOptions& options) {
  const std::size_t kv_heads = trigger.heads.size();
  assert(trigger.received.size() == kv_heads);
  std::vector<float> received;  // [kv_heads][candidates]
  received.reserve(kv_heads * regions.candidates());
  for (const std::span<const float> sums : trigger.received) {
    assert(sums.size() == regions.rows);
    received.insert(received.end(), sums.data() + regions.first_candidate,
                    sums.data() + regions.window_begin());
  }
  Selection selection;
  selection.scores =
      aggregate_scores(received, kv_heads, kv_heads, options.granularity, options.aggregation);
  const std::size_t recent = recent_candidates(trigger, regions, options);
  const std::size_t older = regions.candidates() - recent;
  for (const std::vector<float>& list : selection.scores) {
    std::vector<std::int32_t> chosen =
        top_indices(std::span(list).first(older), kept_candidates(trigger, regions) - recent);
    for (std::size_t i = older; i < list.size(); ++i) {
      chosen.push_back(static_cast<std::int32_t>(i));
    }
    selection.kept.push_back(keep_list(regions, chosen));
  }
  selection.kept.resize(kv_heads, selection.kept.front());
  return selection;
}

}  // namespace laconic
