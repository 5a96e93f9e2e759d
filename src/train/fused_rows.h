// SPDX-License-Identifier: Apache-2.0
// One thread's piece of each fused operation: a few whole rows. Arguments are those of fused.h,
// already at the piece's first row; d_weight is the piece's own partial sum and is added to.
#pragma once

#include <cstddef>
#include <cstdint>

#include "train/simd_target.h"

namespace laconic::train {

template <SimdTarget kTarget, typename T>
void rms_norm_forward_rows(std::size_t rows, std::size_t n, const float* x, const float* weight,
                           float epsilon, T* y, float* inverse_rms);
template <SimdTarget kTarget, typename T>
void rms_norm_backward_rows(std::size_t rows, std::size_t n, const float* x, const float* weight,
                            const float* inverse_rms, const T* d_y, float* d_x, float* d_weight);

// Head h of row r lies at r * row_stride + h * head_dim on one side, packed on the other.
struct RopeShape {
  std::size_t rows = 0, heads = 0, head_dim = 0, row_stride = 0;
};

template <SimdTarget kTarget, typename T>
void norm_rope_forward_rows(const RopeShape& shape, const T* x, const float* weight, float epsilon,
                            const float* cosine, const float* sine, T* y, float* inverse_rms);
// d_normed [head_dim] is scratch: one head's gradient through RoPE waits there for the norm's.
template <SimdTarget kTarget, typename T>
void norm_rope_backward_rows(const RopeShape& shape, const T* x, const float* weight,
                             const float* inverse_rms, const float* cosine, const float* sine,
                             const T* d_y, T* d_x, float* d_weight, float* d_normed);

template <SimdTarget kTarget, typename T>
void swiglu_forward_rows(std::size_t rows, std::size_t n, const T* gate_up, T* y);
template <SimdTarget kTarget, typename T>
void swiglu_backward_rows(std::size_t rows, std::size_t n, const T* gate_up, const T* d_y,
                          T* d_gate_up);

// losses [rows], 0 where the target is negative.
template <SimdTarget kTarget, typename T>
void cross_entropy_rows(std::size_t rows, std::size_t vocab, T* logits, const std::int64_t* targets,
                        float gradient_scale, float* losses);

}  // namespace laconic::train
