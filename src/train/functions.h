// SPDX-License-Identifier: Apache-2.0
// The differentiable parts of a decoder, each with a gradient of its own that keeps only what it
// needs. On the CPU they run the raw-pointer kernels of this room; on another device, and as the
// readable twin of every kernel, the compositions of reference.h. Activations are f32 or bf16,
// weights f32: a product casts its weight to the type of its input once per call.
#pragma once

#include <cstdint>
#include <vector>

#include "train/compat.h"

namespace laconic::train {

struct HeadShape {
  std::int64_t heads = 0, kv_heads = 0, head_dim = 0;
  double norm_epsilon = 1e-6;
};

struct QueryKeyValue {
  Tensor q;     // [rows][heads][head_dim]
  Tensor k, v;  // [rows][kv_heads][head_dim]
};

// x [rows][in], weight f32 [out][in] -> [rows][out] in the type of x.
Tensor project(const Tensor& x, const Tensor& weight);

// x [rows][n], weight f32 [n] -> [rows][n] of `type`.
Tensor rms_norm(const Tensor& x, const Tensor& weight, double epsilon, at::ScalarType type);

// Splits qkv [rows][(heads + 2 kv_heads) head_dim]; q and k are normed where they have a weight
// (f32 [head_dim]; undefined: none) and turned by cosine, sine [rows][head_dim / 2].
QueryKeyValue split_heads(const HeadShape& shape, const Tensor& qkv, const Tensor& q_norm,
                          const Tensor& k_norm, const Tensor& cosine, const Tensor& sine);

// Causal attention inside each of the texts that begin at starts [texts + 1] ->
// [rows][heads][head_dim].
Tensor attention(const HeadShape& shape, const std::vector<std::int64_t>& starts,
                 const QueryKeyValue& heads);

// gate_up [rows][2 n], gate then up -> silu(gate) * up [rows][n].
Tensor swiglu(const Tensor& gate_up);

// Mean cross-entropy of hidden [rows][n] times weight f32 [vocab][n] against targets int64 [rows]
// over the rows whose target is not -1; f32 scalar, 0 where there is none. Logits live for a chunk
// of rows at a time: where a gradient is wanted it is worked out at once, and kept instead of them.
Tensor linear_cross_entropy(const Tensor& hidden, const Tensor& weight, const Tensor& targets);

}  // namespace laconic::train
