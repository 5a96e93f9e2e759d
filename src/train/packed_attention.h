// SPDX-License-Identifier: Apache-2.0
// Causal attention over packed texts on the CPU, forward and backward, without a matrix of all
// pairs: row blocks of queries run over blocks of keys, weights are recomputed for the gradient
// (Dao et al. 2022, FlashAttention, algorithms 1 and 4). Work that the causal mask or a text's
// start rules out is not done. Arithmetic in f32 whatever the storage; one order of sums for any
// number of threads. Raw pointers only: no libtorch.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "train/simd_target.h"

namespace laconic::train {

struct AttentionShape {
  std::size_t heads = 0, kv_heads = 0, head_dim = 0;
  float scale = 1.0f;
};

// T is float or std::uint16_t (the bits of a bf16). Rows are contiguous: q, out and their gradients
// [tokens][heads][head_dim]; k, v and theirs [tokens][kv_heads][head_dim]. `starts` [texts + 1].
// `lse` [heads][tokens]: log of the sum of the exponents, kept for the backward pass.
template <typename T>
void packed_attention_forward(const AttentionShape& shape, std::span<const std::int64_t> starts,
                              const T* q, const T* k, const T* v, T* out, float* lse,
                              SimdTarget target = best_simd_target());

template <typename T>
void packed_attention_backward(const AttentionShape& shape, std::span<const std::int64_t> starts,
                               const T* q, const T* k, const T* v, const T* out, const float* lse,
                               const T* d_out, T* d_q, T* d_k, T* d_v,
                               SimdTarget target = best_simd_target());

// The same by definition, a query and a key at a time; sums in f64.
namespace reference {
template <typename T>
void packed_attention_forward(const AttentionShape& shape, std::span<const std::int64_t> starts,
                              const T* q, const T* k, const T* v, T* out, float* lse);
template <typename T>
void packed_attention_backward(const AttentionShape& shape, std::span<const std::int64_t> starts,
                               const T* q, const T* k, const T* v, const T* out, const float* lse,
                               const T* d_out, T* d_q, T* d_k, T* d_v);
}  // namespace reference

}  // namespace laconic::train
