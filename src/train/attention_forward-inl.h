// SPDX-License-Identifier: Apache-2.0
// Forward attention of one unit: running maximum and sum per lane over blocks of keys (Dao et al.
// 2022, algorithm 1). Scores and outputs are held transposed, a query per lane, so that maximum,
// sum and rescaling are plain vector operations and K and V are read as they lie.
// Included by cpu_*.cc alone.
#pragma once

#include <cmath>

#include "train/attention_block-inl.h"

namespace laconic::train {
namespace {

struct RunningSoftmax {
  Floats most[kBlockVectors];  // in units of log 2
  Floats sum[kBlockVectors];
};

// scores [keys][kWidth] become 2^(score - maximum); out [head_dim][kWidth], the sums so far, is
// brought to the new maximum.
LACONIC_INLINE void softmax_step(std::size_t keys, float* scores, RunningSoftmax& running,
                                 std::size_t head_dim, float* out, bool first) {
  Floats most[kBlockVectors];
  for (int v = 0; v < kBlockVectors; ++v) most[v] = running.most[v];
  for (std::size_t j = 0; j < keys; ++j)
    for (int v = 0; v < kBlockVectors; ++v) {
      const Floats s = load(scores + j * kWidth + static_cast<std::size_t>(v) * kLanes);
      most[v] = s > most[v] ? s : most[v];
    }
  Floats sum[kBlockVectors];
  for (int v = 0; v < kBlockVectors; ++v) sum[v] = Floats{};
  for (std::size_t j = 0; j < keys; ++j)
    for (int v = 0; v < kBlockVectors; ++v) {
      float* at = scores + j * kWidth + static_cast<std::size_t>(v) * kLanes;
      const Floats p = exp2_of(load(at) - most[v]);
      sum[v] += p;
      store(at, p);
    }
  for (int v = 0; v < kBlockVectors; ++v) {
    if (!first) {
      const Floats shrink = exp2_of(running.most[v] - most[v]);
      sum[v] += running.sum[v] * shrink;
      for (std::size_t i = 0; i < head_dim; ++i) {
        float* at = out + i * kWidth + static_cast<std::size_t>(v) * kLanes;
        store(at, load(at) * shrink);
      }
    }
    running.most[v] = most[v];
    running.sum[v] = sum[v];
  }
}

}  // namespace

template <SimdTarget kTarget, typename T>
void attention_forward_unit(const AttentionShape& shape, const AttentionUnit& unit, const T* q,
                            const T* k, const T* v, T* out, float* lse, float* scratch) {
  const std::size_t d = shape.head_dim;
  const std::size_t ld = round_to_lanes(d);
  Scratch memory{scratch};
  float* keys = memory.take(unit.end * d);    // [end][d]
  float* values = memory.take(unit.end * d);  // [end][d]
  float* rows = memory.take(kWidth * ld);     // [kWidth][ld]
  float* query = memory.take(d * kWidth);     // [d][kWidth]
  float* sums = memory.take(d * kWidth);      // [d][kWidth]
  float* scores = memory.take(kKeyBlock * kWidth);
  unpack_kv(shape, unit, unit.end, k, keys);
  unpack_kv(shape, unit, unit.end, v, values);

  const std::size_t blocks = query_blocks(shape, unit);
  for (std::size_t b = 0; b < blocks; ++b) {
    const QueryBlock block = query_block(shape, unit, b);
    gather_rows(shape, unit, block, q, rows, ld);
    lanes_from_rows(d, rows, ld, shape.scale * kLog2E, query);
    RunningSoftmax running;
    for (int i = 0; i < kBlockVectors; ++i) {
      running.most[i] = splat(-__builtin_inff());
      running.sum[i] = Floats{};
    }
    for (std::size_t j = 0; j < block.keys; j += kKeyBlock) {
      const std::size_t n = block.keys - j < kKeyBlock ? block.keys - j : kKeyBlock;
      multiply<kBlockVectors, false>(n, {keys + j * d, d, 1}, query, kWidth, d, scores, kWidth);
      mask_future(block, j, n, scores);
      softmax_step(n, scores, running, d, sums, j == 0);
      const ProductOperand transposed_values{values + j * d, 1, d};
      if (j == 0)
        multiply<kBlockVectors, false>(d, transposed_values, scores, kWidth, n, sums, kWidth);
      else
        multiply<kBlockVectors, true>(d, transposed_values, scores, kWidth, n, sums, kWidth);
    }
    for (int i = 0; i < kBlockVectors; ++i) {
      const Floats inverse = 1.0f / running.sum[i];
      float* at = sums + static_cast<std::size_t>(i) * kLanes;
      for (std::size_t e = 0; e < d; ++e) store(at + e * kWidth, load(at + e * kWidth) * inverse);
      const LaneGroup& group = block.groups[i];
      float* lse_row = lse + group.head * unit.tokens + unit.first_token + group.first;
      for (std::size_t lane = 0; lane < group.count; ++lane)
        lse_row[lane] = running.most[i][lane] * kLn2 + std::log(running.sum[i][lane]);
    }
    rows_from_lanes(d, sums, rows, ld);
    scatter_rows(shape, unit, block, rows, ld, 1.0f, out);
  }
}

}  // namespace laconic::train
