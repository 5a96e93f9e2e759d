// SPDX-License-Identifier: Apache-2.0
#include "kv/selection.h"

#include <numeric>
#include <utility>

#include "kv/scores.h"

namespace laconic {

std::vector<std::int32_t> keep_list(const Regions& regions, std::span<const std::int32_t> chosen) {
  std::vector<std::int32_t> kept(regions.first_candidate + chosen.size() + regions.window);
  const auto candidates = kept.begin() + static_cast<std::ptrdiff_t>(regions.first_candidate);
  std::iota(kept.begin(), candidates, 0);
  auto end = candidates;
  for (const std::int32_t index : chosen) {
    *end++ = index + static_cast<std::int32_t>(regions.first_candidate);
  }
  std::iota(end, kept.end(), static_cast<std::int32_t>(regions.window_begin()));
  return kept;
}

std::size_t rows_in_place(std::span<const std::int32_t> kept) {
  // Lists ascend: behind a row that has moved all have.
  std::size_t low = 0, high = kept.size();
  while (low < high) {
    const std::size_t middle = low + (high - low) / 2;
    if (kept[middle] == static_cast<std::int32_t>(middle)) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

Selection select_top(const Regions& regions, std::vector<std::vector<float>> scores,
                     std::size_t keep, std::size_t kv_heads) {
  Selection selection;
  for (const std::vector<float>& list : scores) {
    selection.kept.push_back(keep_list(regions, top_indices(list, keep)));
  }
  selection.scores = std::move(scores);
  selection.kept.resize(kv_heads, selection.kept.front());
  return selection;
}

}  // namespace laconic
