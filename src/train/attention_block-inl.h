// SPDX-License-Identifier: Apache-2.0
// What both directions of attention share: which query sits in which lane, rows in and out of
// packed f32 arrays, and the causal mask. Included by cpu_*.cc alone.
#pragma once

#include "train/attention_unit.h"
#include "train/matrix_tile-inl.h"

namespace laconic::train {
namespace {

constexpr int kBlockVectors = kRegisters == 32 ? 4 : 2;
constexpr std::size_t kWidth = kBlockVectors * kLanes;  // lanes of a block of queries
static_assert(kWidth <= kMostQueryLanes);

// A vector's lanes: `count` neighbouring queries of one head; count 0 is a vector of padding.
struct LaneGroup {
  std::size_t head = 0, first = 0, count = 0;
};

struct QueryBlock {
  LaneGroup groups[kBlockVectors];
  std::size_t keys = 0;  // visible to at least one lane
};

// Block `index` of a unit. Vectors are ordered by query, then by head, so that the heads of a group
// need nearly the same keys.
LACONIC_INLINE QueryBlock query_block(const AttentionShape& shape, const AttentionUnit& unit,
                                      std::size_t index) {
  const std::size_t heads = shape.heads / shape.kv_heads;
  QueryBlock block;
  for (int v = 0; v < kBlockVectors; ++v) {
    const std::size_t number = index * kBlockVectors + static_cast<std::size_t>(v);
    LaneGroup& group = block.groups[v];
    group.head = unit.kv_head * heads + number % heads;
    group.first = unit.begin + number / heads * kLanes;
    if (group.first >= unit.end) {
      group.first = unit.end;
      continue;
    }
    group.count = unit.end - group.first < kLanes ? unit.end - group.first : kLanes;
    const std::size_t seen = group.first + group.count;
    block.keys = block.keys < seen ? seen : block.keys;
  }
  return block;
}

LACONIC_INLINE std::size_t query_blocks(const AttentionShape& shape, const AttentionUnit& unit) {
  const std::size_t heads = shape.heads / shape.kv_heads;
  const std::size_t vectors = (unit.end - unit.begin + kLanes - 1) / kLanes * heads;
  return (vectors + kBlockVectors - 1) / kBlockVectors;
}

// First element of lane `lane`'s row in an array [tokens][heads][head_dim].
LACONIC_INLINE std::size_t row_of(const AttentionShape& shape, const AttentionUnit& unit,
                                  const LaneGroup& group, std::size_t lane) {
  return ((unit.first_token + group.first + lane) * shape.heads + group.head) * shape.head_dim;
}

template <typename T>
LACONIC_INLINE void unpack_row(std::size_t n, const T* from, float factor, float* to) {
  for_each_vector(n, [=](std::size_t i, auto load_at, auto store_at) {
    store_at(to + i, load_at(from + i) * factor);
  });
}

// Row r of one KV head: from [length rows][kv_heads][head_dim] to [length rows][head_dim].
template <typename T>
LACONIC_INLINE void unpack_kv(const AttentionShape& shape, const AttentionUnit& unit,
                              std::size_t rows, const T* from, float* to) {
  const std::size_t step = shape.kv_heads * shape.head_dim;
  from += unit.first_token * step + unit.kv_head * shape.head_dim;
  for (std::size_t r = 0; r < rows; ++r)
    unpack_row(shape.head_dim, from + r * step, 1.0f, to + r * shape.head_dim);
}

// from [kWidth][ld] to [n][kWidth]: to[i][lane] = factor * from[lane][i].
LACONIC_INLINE void lanes_from_rows(std::size_t n, const float* from, std::size_t ld, float factor,
                                    float* to) {
  for (std::size_t lane = 0; lane < kWidth; lane += kLanes)
    for (std::size_t i = 0; i < n; i += kLanes) {
      Floats square[kLanes];
      for (std::size_t r = 0; r < kLanes; ++r) square[r] = load(from + (lane + r) * ld + i);
      transpose(square);
      for (std::size_t r = 0; r < kLanes; ++r)
        if (i + r < n) store(to + (i + r) * kWidth + lane, square[r] * factor);
    }
}

// The way back: to[lane][i] = from[i][lane]. What pads a row to ld is written as zero.
LACONIC_INLINE void rows_from_lanes(std::size_t n, const float* from, float* to, std::size_t ld) {
  for (std::size_t lane = 0; lane < kWidth; lane += kLanes)
    for (std::size_t i = 0; i < n; i += kLanes) {
      Floats square[kLanes];
      for (std::size_t r = 0; r < kLanes; ++r)
        square[r] = i + r < n ? load(from + (i + r) * kWidth + lane) : Floats{};
      transpose(square);
      for (std::size_t r = 0; r < kLanes; ++r) store(to + (lane + r) * ld + i, square[r]);
    }
}

// The block's rows of an array [tokens][heads][head_dim] as f32 [kWidth][ld], padding as zeros.
template <typename T>
LACONIC_INLINE void gather_rows(const AttentionShape& shape, const AttentionUnit& unit,
                                const QueryBlock& block, const T* from, float* to, std::size_t ld) {
  for (int v = 0; v < kBlockVectors; ++v) {
    const LaneGroup& group = block.groups[v];
    for (std::size_t lane = 0; lane < kLanes; ++lane, to += ld) {
      if (lane >= group.count || ld != shape.head_dim)
        for (std::size_t i = 0; i < ld; i += kLanes) store(to + i, Floats{});
      if (lane < group.count)
        unpack_row(shape.head_dim, from + row_of(shape, unit, group, lane), 1.0f, to);
    }
  }
}

template <typename T>
LACONIC_INLINE void scatter_rows(const AttentionShape& shape, const AttentionUnit& unit,
                                 const QueryBlock& block, const float* from, std::size_t ld,
                                 float factor, T* to) {
  for (int v = 0; v < kBlockVectors; ++v) {
    const LaneGroup& group = block.groups[v];
    for (std::size_t lane = 0; lane < group.count; ++lane) {
      const float* row = from + (static_cast<std::size_t>(v) * kLanes + lane) * ld;
      T* target = to + row_of(shape, unit, group, lane);
      for_each_vector(shape.head_dim, [=](std::size_t i, auto load_at, auto store_at) {
        store_at(target + i, load_at(row + i) * factor);
      });
    }
  }
}

// scores [keys][kWidth] of the keys from `first_key` on: minus infinity where the key is younger
// than the lane's query.
LACONIC_INLINE void mask_future(const QueryBlock& block, std::size_t first_key, std::size_t keys,
                                float* scores) {
  Ints index;
  for (std::size_t lane = 0; lane < kLanes; ++lane) index[lane] = static_cast<std::int32_t>(lane);
  const Floats nothing = splat(-__builtin_inff());
  for (int v = 0; v < kBlockVectors; ++v) {
    const std::size_t oldest = block.groups[v].first;
    float* at = scores + static_cast<std::size_t>(v) * kLanes;
    for (std::size_t j = oldest >= first_key ? oldest - first_key + 1 : 0; j < keys; ++j) {
      const std::size_t behind = first_key + j - oldest;
      const auto hidden = static_cast<std::int32_t>(behind < kLanes ? behind : kLanes);
      store(at + j * kWidth, index < hidden ? nothing : load(at + j * kWidth));
    }
  }
}

// Scratch is handed out from the front; every piece starts on a cache line.
struct Scratch {
  float* next;
  LACONIC_INLINE float* take(std::size_t floats) {
    float* piece = next;
    next += (floats + 15) / 16 * 16;
    return piece;
  }
};

}  // namespace
}  // namespace laconic::train
