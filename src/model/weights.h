// SPDX-License-Identifier: Apache-2.0
// A decoder's weights, ready for the kernels: matrices as stored, vectors widened to f32.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "kernels/linear.h"
#include "model/checkpoint.h"
#include "model/config.h"

namespace laconic {

struct LayerWeights {
  std::vector<float> attention_norm;          // [hidden]
  WeightView q;                               // [heads * head_dim][hidden]
  WeightView k, v;                            // [kv_heads * head_dim][hidden]
  WeightView o;                               // [hidden][heads * head_dim]
  std::vector<float> q_bias, k_bias, v_bias;  // [rows] or empty
  std::vector<float> o_bias;                  // [hidden] or empty
  std::vector<float> q_norm, k_norm;          // [head_dim] or empty
  std::vector<float> mlp_norm;                // [hidden]
  WeightView gate, up;                        // [intermediate][hidden]
  WeightView down;                            // [hidden][intermediate]
};

struct Weights {
  ModelConfig config;
  WeightView embedding;           // [vocab][hidden]
  WeightView head;                // [vocab][hidden]; the embedding when tied
  std::vector<float> final_norm;  // [hidden]
  std::vector<LayerWeights> layers;
  std::vector<std::string> not_quantized;         // matrices that `quantize` left as stored
  std::vector<std::vector<std::byte>> quantized;  // owners of what was quantised while loading

  // Bytes of all weights, and those that one decode step reads (the embedding only once when tied).
  std::size_t total_bytes() const;
  std::size_t bytes_per_step() const;
  std::size_t parameters() const;
};

// Views into `checkpoint`, which must outlive the result. With a `quantize` type, matrices whose
// rows are a multiple of 32 become that type; the source pages are dropped as it goes.
Weights load_weights(const Checkpoint& checkpoint, const DType* quantize = nullptr);

}  // namespace laconic
