// SPDX-License-Identifier: Apache-2.0
// SwiGLU and cross-entropy: what needs the exponential. Included by cpu_*.cc alone.
#pragma once

#include <cmath>

#include "train/fused_rows.h"
#include "train/simd-inl.h"

namespace laconic::train {
namespace {

// The exponent may stop at 127: the result, 6e-39, is as good as 0.
LACONIC_INLINE Floats sigmoid(Floats x) {
  const Floats exponent = x * -kLog2E;
  return 1.0f / (1.0f + exp2_of(exponent > 127.0f ? splat(127.0f) : exponent));
}

// One row of logits becomes gradient_scale * (softmax - one_hot); returns its loss.
template <typename T>
LACONIC_INLINE float cross_entropy_row(std::size_t vocab, T* row, std::size_t target,
                                       float gradient_scale) {
  constexpr float kNothing = -__builtin_inff();
  Floats most_of_lane = splat(kNothing);
  for_each_vector(
      vocab,
      [&](std::size_t i, auto load_at, auto) {
        const Floats x = load_at(row + i);
        most_of_lane = x > most_of_lane ? x : most_of_lane;
      },
      kNothing);
  const float most = max_of_lanes(most_of_lane);
  Floats sum_of_lane = {};
  for_each_vector(
      vocab,
      [&](std::size_t i, auto load_at, auto) {
        sum_of_lane += exp2_of((load_at(row + i) - most) * kLog2E);
      },
      kNothing);
  const float sum = sum_of_lanes(sum_of_lane);
  const float logit = load_some(row + target, 1, 0.0f)[0];
  // The target's own entry is rounded once, after its 1 is taken off.
  const float target_weight = exp2_of(splat((logit - most) * kLog2E))[0] / sum;
  const float factor = gradient_scale / sum;
  for_each_vector(vocab, [=](std::size_t i, auto load_at, auto store_at) {
    store_at(row + i, exp2_of((load_at(row + i) - most) * kLog2E) * factor);
  });
  store_some(row + target, splat((target_weight - 1.0f) * gradient_scale), 1);
  return std::log(sum) + (most - logit);
}

}  // namespace

template <SimdTarget kTarget, typename T>
void swiglu_forward_rows(std::size_t rows, std::size_t n, const T* gate_up, T* y) {
  for (std::size_t r = 0; r < rows; ++r, gate_up += 2 * n, y += n)
    for_each_vector(n, [=](std::size_t i, auto load_at, auto store_at) {
      const Floats gate = load_at(gate_up + i);
      store_at(y + i, gate * sigmoid(gate) * load_at(gate_up + n + i));
    });
}

template <SimdTarget kTarget, typename T>
void swiglu_backward_rows(std::size_t rows, std::size_t n, const T* gate_up, const T* d_y,
                          T* d_gate_up) {
  for (std::size_t r = 0; r < rows; ++r, gate_up += 2 * n, d_gate_up += 2 * n, d_y += n)
    for_each_vector(n, [=](std::size_t i, auto load_at, auto store_at) {
      const Floats gate = load_at(gate_up + i);
      const Floats up = load_at(gate_up + n + i);
      const Floats g = load_at(d_y + i);
      const Floats s = sigmoid(gate);
      store_at(d_gate_up + i, g * up * s * (1.0f + gate * (1.0f - s)));
      store_at(d_gate_up + n + i, g * gate * s);
    });
}

template <SimdTarget kTarget, typename T>
void cross_entropy_rows(std::size_t rows, std::size_t vocab, T* logits, const std::int64_t* targets,
                        float gradient_scale, float* losses) {
  for (std::size_t r = 0; r < rows; ++r) {
    T* row = logits + r * vocab;
    if (targets[r] < 0) {
      __builtin_memset(row, 0, vocab * sizeof(T));
      losses[r] = 0.0f;
    } else {
      losses[r] =
          cross_entropy_row(vocab, row, static_cast<std::size_t>(targets[r]), gradient_scale);
    }
  }
}

}  // namespace laconic::train
