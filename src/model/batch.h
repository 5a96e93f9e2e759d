// SPDX-License-Identifier: Apache-2.0
// The rows of one forward pass: decode rows first, then prompt rows, which attention prepares and
// appends in another way.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/decoder.h"

namespace laconic {

// A segment with its place among the rows.
struct PlacedSegment {
  const Segment* segment = nullptr;
  std::size_t first_row = 0;
  std::int32_t first_position = 0;

  std::size_t rows() const { return segment->ids.size(); }
  bool is_prompt() const { return segment->kind == RowKind::kPrompt; }
};

struct BatchLayout {
  std::vector<PlacedSegment> segments;  // decode segments first
  std::vector<std::int32_t> ids;        // [rows]
  std::vector<std::int32_t> positions;  // [rows]
  std::size_t decode_rows = 0;
  std::vector<std::size_t> first_rows;  // [segment] in the caller's order
  std::vector<std::size_t> logit_rows;  // in the caller's segment order

  // Lays out another batch in the memory of the last one. `batch` outlives its use.
  void place(std::span<const Segment> batch);
  std::size_t rows() const { return ids.size(); }
};

}  // namespace laconic
