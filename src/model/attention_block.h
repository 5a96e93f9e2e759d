// SPDX-License-Identifier: Apache-2.0
// Attention of one layer for a whole batch: RoPE, rows into the caches, queries to the policies,
// and the weighted sums out.
#pragma once

#include <vector>

#include "base/threads.h"
#include "model/batch.h"
#include "model/config.h"
#include "model/weights.h"

namespace laconic {

class AttentionBlock {
 public:
  AttentionBlock(const ModelConfig& config, Threads& threads);

  // cos and sin of every row's position; call once per forward pass.
  void set_positions(const std::vector<std::int32_t>& positions);

  // q, k and v are projections; q and k are normed and rotated in place, out may not alias them.
  void run(std::size_t layer, const LayerWeights& weights, const BatchLayout& batch,
           float* q /* [rows][heads][head_dim] */, float* k /* [rows][kv_heads][head_dim] */,
           const float* v /* [rows][kv_heads][head_dim] */,
           float* out /* [rows][heads][head_dim] */);

 private:
  void norm_and_rotate(const LayerWeights& weights, std::size_t rows, float* q, float* k);
  void append_rows(std::size_t layer, const BatchLayout& batch, const float* k, const float* v);
  void attend_rows(std::size_t layer, const BatchLayout& batch, const float* q, float* out);

  const ModelConfig& config_;
  Threads& threads_;
  RopeTable rope_;
  std::vector<float> cos_, sin_;             // [rows][head_dim / 2]
  std::vector<std::vector<float>> scratch_;  // [thread]
};

}  // namespace laconic
