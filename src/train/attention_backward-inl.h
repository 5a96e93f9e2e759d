// SPDX-License-Identifier: Apache-2.0
// Backward attention of one text under one KV head (Dao et al. 2022, algorithm 4): weights are
// recomputed from lse; a query block's gradient is summed over the keys before it, the gradients of
// keys and values over the blocks in order.
// Included by cpu_*.cc alone.
#pragma once

#include "train/attention_block-inl.h"

namespace laconic::train {
namespace {

// What the block's lanes bring: lse in units of log 2, and D = sum of d_out * out.
struct LaneStatistics {
  float lse[kWidth];
  float dot[kWidth];
};

template <typename T>
LACONIC_INLINE LaneStatistics lane_statistics(const AttentionShape& shape,
                                              const AttentionUnit& unit, const QueryBlock& block,
                                              const T* out, const T* d_out, const float* lse) {
  LaneStatistics statistics = {};
  for (int v = 0; v < kBlockVectors; ++v) {
    const LaneGroup& group = block.groups[v];
    const std::size_t place = static_cast<std::size_t>(v) * kLanes;
    const float* lse_row = lse + group.head * unit.tokens + unit.first_token + group.first;
    Floats products[kLanes] = {};
    for (std::size_t lane = 0; lane < group.count; ++lane) {
      const T* a = out + row_of(shape, unit, group, lane);
      const T* b = d_out + row_of(shape, unit, group, lane);
      Floats sum = {};
      for_each_vector(shape.head_dim, [&](std::size_t i, auto load_at, auto) {
        sum += load_at(a + i) * load_at(b + i);
      });
      products[lane] = sum;
      statistics.lse[place + lane] = lse_row[lane] * kLog2E;
    }
    transpose(products);
    for (std::size_t i = 1; i < kLanes; ++i) products[0] += products[i];
    store(statistics.dot + place, products[0]);
  }
  return statistics;
}

// scores [keys][kWidth] become the weights, d_weights the gradients of the scaled scores.
LACONIC_INLINE void weights_and_gradients(std::size_t keys, const LaneStatistics& statistics,
                                          float* scores, float* d_weights) {
  for (std::size_t j = 0; j < keys; ++j)
    for (std::size_t i = 0; i < kWidth; i += kLanes) {
      float* s = scores + j * kWidth + i;
      float* d = d_weights + j * kWidth + i;
      const Floats p = exp2_of(load(s) - load(statistics.lse + i));
      store(s, p);
      store(d, p * (load(d) - load(statistics.dot + i)));
    }
}

}  // namespace

template <SimdTarget kTarget, typename T>
void attention_backward_unit(const AttentionShape& shape, const AttentionUnit& unit, const T* q,
                             const T* k, const T* v, const T* out, const float* lse, const T* d_out,
                             T* d_q, T* d_k, T* d_v, float* scratch) {
  const std::size_t d = shape.head_dim;
  const std::size_t ld = round_to_lanes(d);
  const std::size_t row_vectors = ld / kLanes;
  Scratch memory{scratch};
  float* keys = memory.take(unit.length * d);        // [length][d]
  float* values = memory.take(unit.length * d);      // [length][d]
  float* d_keys = memory.take(unit.length * ld);     // [length][ld]
  float* d_values = memory.take(unit.length * ld);   // [length][ld]
  float* query_rows = memory.take(kWidth * ld);      // [kWidth][ld]
  float* d_out_rows = memory.take(kWidth * ld);      // [kWidth][ld]
  float* query = memory.take(d * kWidth);            // [d][kWidth], scaled
  float* d_outs = memory.take(d * kWidth);           // [d][kWidth]
  float* d_query = memory.take(d * kWidth);          // [d][kWidth]
  float* weights = memory.take(kKeyBlock * kWidth);  // [keys][kWidth]
  float* d_scores = memory.take(kKeyBlock * kWidth);
  unpack_kv(shape, unit, unit.length, k, keys);
  unpack_kv(shape, unit, unit.length, v, values);
  __builtin_memset(d_keys, 0, unit.length * ld * sizeof(float));
  __builtin_memset(d_values, 0, unit.length * ld * sizeof(float));

  const std::size_t blocks = query_blocks(shape, unit);
  for (std::size_t b = 0; b < blocks; ++b) {
    const QueryBlock block = query_block(shape, unit, b);
    const LaneStatistics statistics = lane_statistics(shape, unit, block, out, d_out, lse);
    gather_rows(shape, unit, block, q, query_rows, ld);
    gather_rows(shape, unit, block, d_out, d_out_rows, ld);
    lanes_from_rows(d, query_rows, ld, shape.scale * kLog2E, query);
    lanes_from_rows(d, d_out_rows, ld, 1.0f, d_outs);
    __builtin_memset(d_query, 0, d * kWidth * sizeof(float));
    for (std::size_t j = 0; j < block.keys; j += kKeyBlock) {
      const std::size_t n = block.keys - j < kKeyBlock ? block.keys - j : kKeyBlock;
      multiply<kBlockVectors, false>(n, {keys + j * d, d, 1}, query, kWidth, d, weights, kWidth);
      multiply<kBlockVectors, false>(n, {values + j * d, d, 1}, d_outs, kWidth, d, d_scores,
                                     kWidth);
      mask_future(block, j, n, weights);
      weights_and_gradients(n, statistics, weights, d_scores);
      multiply_wide<true>(row_vectors, n, {weights, kWidth, 1}, d_out_rows, ld, kWidth,
                          d_values + j * ld, ld);
      multiply_wide<true>(row_vectors, n, {d_scores, kWidth, 1}, query_rows, ld, kWidth,
                          d_keys + j * ld, ld);
      multiply<kBlockVectors, true>(d, {keys + j * d, 1, d}, d_scores, kWidth, n, d_query, kWidth);
    }
    rows_from_lanes(d, d_query, query_rows, ld);
    scatter_rows(shape, unit, block, query_rows, ld, shape.scale, d_q);
  }

  const std::size_t step = shape.kv_heads * d;
  const std::size_t first = unit.first_token * step + unit.kv_head * d;
  for (std::size_t r = 0; r < unit.length; ++r) {
    for_each_vector(d, [&](std::size_t i, auto load_at, auto store_at) {
      store_at(d_k + first + r * step + i, load_at(d_keys + r * ld + i) * shape.scale);
      store_at(d_v + first + r * step + i, load_at(d_values + r * ld + i));
    });
  }
}

}  // namespace laconic::train
