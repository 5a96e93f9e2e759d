// SPDX-License-Identifier: Apache-2.0
// The element-wise parts of a decoder layer, each in one pass over memory, forward and backward.
// Arithmetic in f32 whatever the storage; the same bits for any number of threads. Raw pointers
// only: no libtorch. T is float or std::uint16_t (the bits of a bf16).
#pragma once

#include <cstddef>
#include <cstdint>

#include "train/simd_target.h"

namespace laconic::train {

// y[row][n] = x[row][n] / rms(x[row]) * weight[n]; inverse_rms [rows] is kept for the gradient. x
// is the residual stream, always f32.
template <typename T>
void rms_norm_forward(std::size_t rows, std::size_t n, const float* x, const float* weight,
                      float epsilon, T* y, float* inverse_rms,
                      SimdTarget target = best_simd_target());
// d_x [rows][n] is written; d_weight [n] is added to.
template <typename T>
void rms_norm_backward(std::size_t rows, std::size_t n, const float* x, const float* weight,
                       const float* inverse_rms, const T* d_y, float* d_x, float* d_weight,
                       SimdTarget target = best_simd_target());

// Norm of each head (weight null: none; Qwen3 section 2 "QK-Norm"), then RoPE in the half-split
// layout. x [rows][row_stride] with the heads at its start, y [rows][heads][head_dim];
// cosine, sine [rows][head_dim / 2]; inverse_rms [rows][heads], not touched without a weight.
// head_dim is even.
template <typename T>
void norm_rope_forward(std::size_t rows, std::size_t heads, std::size_t head_dim,
                       std::size_t row_stride, const T* x, const float* weight, float epsilon,
                       const float* cosine, const float* sine, T* y, float* inverse_rms,
                       SimdTarget target = best_simd_target());
// d_x [rows][row_stride], only the heads' part is written; d_weight [head_dim] is added to.
template <typename T>
void norm_rope_backward(std::size_t rows, std::size_t heads, std::size_t head_dim,
                        std::size_t row_stride, const T* x, const float* weight,
                        const float* inverse_rms, const float* cosine, const float* sine,
                        const T* d_y, T* d_x, float* d_weight,
                        SimdTarget target = best_simd_target());

// y[row][n] = silu(gate) * up; gate_up [row][2 n] holds gate then up.
template <typename T>
void swiglu_forward(std::size_t rows, std::size_t n, const T* gate_up, T* y,
                    SimdTarget target = best_simd_target());
template <typename T>
void swiglu_backward(std::size_t rows, std::size_t n, const T* gate_up, const T* d_y, T* d_gate_up,
                     SimdTarget target = best_simd_target());

// Cross-entropy of logits [rows][vocab] and its gradient in place: logits become
// (softmax - one_hot) * gradient_scale. A row with a negative target counts nothing: gradient 0.
// Returns the sum of the rows' losses, added in f64 in the order of rows.
template <typename T>
double cross_entropy_in_place(std::size_t rows, std::size_t vocab, T* logits,
                              const std::int64_t* targets, float gradient_scale,
                              SimdTarget target = best_simd_target());

// The same by definition, a row at a time; sums in f64.
namespace reference {
template <typename T>
void rms_norm_forward(std::size_t rows, std::size_t n, const float* x, const float* weight,
                      float epsilon, T* y, float* inverse_rms);
template <typename T>
void rms_norm_backward(std::size_t rows, std::size_t n, const float* x, const float* weight,
                       const float* inverse_rms, const T* d_y, float* d_x, float* d_weight);
template <typename T>
void norm_rope_forward(std::size_t rows, std::size_t heads, std::size_t head_dim,
                       std::size_t row_stride, const T* x, const float* weight, float epsilon,
                       const float* cosine, const float* sine, T* y, float* inverse_rms);
template <typename T>
void norm_rope_backward(std::size_t rows, std::size_t heads, std::size_t head_dim,
                        std::size_t row_stride, const T* x, const float* weight,
                        const float* inverse_rms, const float* cosine, const float* sine,
                        const T* d_y, T* d_x, float* d_weight);
template <typename T>
void swiglu_forward(std::size_t rows, std::size_t n, const T* gate_up, T* y);
template <typename T>
void swiglu_backward(std::size_t rows, std::size_t n, const T* gate_up, const T* d_y, T* d_gate_up);
template <typename T>
double cross_entropy_in_place(std::size_t rows, std::size_t vocab, T* logits,
                              const std::int64_t* targets, float gradient_scale);
}  // namespace reference

}  // namespace laconic::train
