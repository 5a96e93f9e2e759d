// SPDX-License-Identifier: Apache-2.0
// A decoder's weights, ready for the kernels: matrices packed, vectors widened to f32.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "kernels/packed.h"
#include "kernels/weight_view.h"
#include "model/checkpoint.h"
#include "model/config.h"

namespace laconic {

// A matrix [rows][cols]: packed, or as stored where rows are only looked up.
class Matrix {
 public:
  Matrix() = default;
  explicit Matrix(const WeightView& stored)
      : stored_(stored), bytes_(stored.bytes()), first_(stored.data) {}
  // `bytes` from packed_bytes.
  Matrix(const PackedView& packed, std::size_t bytes)
      : stored_{packed.type, nullptr, packed.rows, packed.cols},
        packed_(packed),
        bytes_(bytes),
        first_(reinterpret_cast<const std::byte*>(packed.weights)) {}

  DType type() const { return stored_.type; }
  std::size_t rows() const { return stored_.rows; }
  std::size_t cols() const { return stored_.cols; }
  std::span<const std::byte> bytes() const { return {first_, bytes_}; }

  bool is_packed() const { return packed_.weights != nullptr; }
  const PackedView& packed() const { return packed_; }  // PRECONDITION: is_packed()

  void dequantize_row(std::size_t row, float* out /* [cols] */) const;

 private:
  WeightView stored_;
  PackedView packed_;
  std::size_t bytes_ = 0;
  const std::byte* first_ = nullptr;
};

struct LayerWeights {
  std::vector<float> attention_norm;          // [hidden]
  Matrix q;                                   // [heads * head_dim][hidden]
  Matrix k, v;                                // [kv_heads * head_dim][hidden]
  Matrix o;                                   // [hidden][heads * head_dim]
  std::vector<float> q_bias, k_bias, v_bias;  // [rows] or empty
  std::vector<float> o_bias;                  // [hidden] or empty
  std::vector<float> q_norm, k_norm;          // [head_dim] or empty
  std::vector<float> mlp_norm;                // [hidden]
  Matrix gate, up;                            // [intermediate][hidden]
  Matrix down;                                // [hidden][intermediate]
};

struct Weights {
  ModelConfig config;
  // [vocab][hidden]; packed where it is the head too, or is to change its type
  Matrix embedding;
  Matrix head;                    // [vocab][hidden]; the embedding when tied
  std::vector<float> final_norm;  // [hidden]
  std::vector<LayerWeights> layers;
  std::vector<std::string> not_quantized;  // matrices that `quantize` left as stored
  PackedMemory packed;                     // owner of all packed matrices
  std::size_t packed_bytes = 0;

  // Bytes of all weights, and those that one decode step reads (the embedding only once when tied).
  std::size_t total_bytes() const;
  std::size_t mapped_bytes() const;  // of those, in the checkpoint's files
  std::size_t bytes_per_step() const;
  std::size_t parameters() const;
  bool tied() const { return head.bytes().data() == embedding.bytes().data(); }
};

// Matrices are packed into memory of their own and their source is let go, so that the checkpoint
// has no data of them afterwards. An embedding that is not the head stays a view into `checkpoint`,
// which must outlive the result. With a `quantize` type, matrices whose rows are a multiple of 32
// become that type first; Error(kUsage) for one that can_quantize() denies. `threads`: 0 for one
// per core.
Weights load_weights(Checkpoint& checkpoint, const DType* quantize = nullptr,
                     std::size_t threads = 0);

}  // namespace laconic
