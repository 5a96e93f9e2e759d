// SPDX-License-Identifier: Apache-2.0
#include "model/batch.h"

#include <cassert>

namespace laconic {

void BatchLayout::place(std::span<const Segment> batch) {
  segments.clear();
  ids.clear();
  positions.clear();
  logit_rows.clear();
  first_rows.resize(batch.size());
  for (const RowKind kind : {RowKind::kDecode, RowKind::kPrompt}) {
    for (std::size_t s = 0; s < batch.size(); ++s) {
      const Segment& segment = batch[s];
      if (segment.kind != kind) continue;
      assert(kind == RowKind::kPrompt || segment.ids.size() == 1);
      PlacedSegment placed{&segment, ids.size(), segment.cache->next_position()};
      first_rows[s] = placed.first_row;
      for (std::size_t i = 0; i < segment.ids.size(); ++i) {
        ids.push_back(segment.ids[i]);
        positions.push_back(placed.first_position + static_cast<std::int32_t>(i));
      }
      segments.push_back(placed);
    }
    if (kind == RowKind::kDecode) decode_rows = ids.size();
  }
  for (std::size_t s = 0; s < batch.size(); ++s) {
    const std::size_t rows_here = batch[s].ids.size();
    if (rows_here == 0 || batch[s].logits == LogitRows::kNone) continue;
    const std::size_t begin = batch[s].logits == LogitRows::kAll ? 0 : rows_here - 1;
    for (std::size_t i = begin; i < rows_here; ++i) logit_rows.push_back(first_rows[s] + i);
  }
}

}  // namespace laconic
