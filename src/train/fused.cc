// SPDX-License-Identifier: Apache-2.0
#include "train/fused.h"

#include <algorithm>
#include <cassert>
#include <vector>

#include "train/fused_rows.h"

namespace laconic::train {
namespace {

// Rows per piece of work, and per partial sum of a weight's gradient: a fixed number, so that the
// sums are the same for any number of threads. 64 rows of 256 floats fill half an L2 way and keep
// the partial sums a 64th of the data.
constexpr std::size_t kChunkRows = 64;

std::size_t chunks_of(std::size_t rows) { return (rows + kChunkRows - 1) / kChunkRows; }

// body(first row, rows) for each chunk.
template <typename Body>
void for_each_chunk(std::size_t rows, const Body& body) {
  const std::size_t chunks = chunks_of(rows);
#pragma omp parallel for schedule(static) if (chunks > 1)
  for (std::size_t c = 0; c < chunks; ++c) {
    const std::size_t first = c * kChunkRows;
    body(first, std::min(kChunkRows, rows - first));
  }
}

// Partial sums [chunks][n] of a weight's gradient, added up in the order of the rows.
class ChunkSums {
 public:
  ChunkSums(std::size_t rows, std::size_t n) : n_(n), sums_(chunks_of(rows) * n, 0.0f) {}

  float* of_row(std::size_t first_row) { return sums_.data() + first_row / kChunkRows * n_; }

  void add_to(float* total) const {
    for (std::size_t at = 0; at < sums_.size(); at += n_)
      for (std::size_t i = 0; i < n_; ++i) total[i] += sums_[at + i];
  }

 private:
  std::size_t n_;
  std::vector<float> sums_;
};

}  // namespace

template <typename T>
void rms_norm_forward(std::size_t rows, std::size_t n, const float* x, const float* weight,
                      float epsilon, T* y, float* inverse_rms, SimdTarget target) {
  on_simd_target(target, [&](auto chosen) {
    for_each_chunk(rows, [&](std::size_t r, std::size_t count) {
      rms_norm_forward_rows<decltype(chosen)::value>(count, n, x + r * n, weight, epsilon,
                                                     y + r * n, inverse_rms + r);
    });
  });
}

template <typename T>
void rms_norm_backward(std::size_t rows, std::size_t n, const float* x, const float* weight,
                       const float* inverse_rms, const T* d_y, float* d_x, float* d_weight,
                       SimdTarget target) {
  ChunkSums sums(rows, n);
  on_simd_target(target, [&](auto chosen) {
    for_each_chunk(rows, [&](std::size_t r, std::size_t count) {
      rms_norm_backward_rows<decltype(chosen)::value>(count, n, x + r * n, weight, inverse_rms + r,
                                                      d_y + r * n, d_x + r * n, sums.of_row(r));
    });
  });
  sums.add_to(d_weight);
}

template <typename T>
void norm_rope_forward(std::size_t rows, std::size_t heads, std::size_t head_dim,
                       std::size_t row_stride, const T* x, const float* weight, float epsilon,
                       const float* cosine, const float* sine, T* y, float* inverse_rms,
                       SimdTarget target) {
  assert(head_dim % 2 == 0);
  on_simd_target(target, [&](auto chosen) {
    for_each_chunk(rows, [&](std::size_t r, std::size_t count) {
      norm_rope_forward_rows<decltype(chosen)::value>(
          {count, heads, head_dim, row_stride}, x + r * row_stride, weight, epsilon,
          cosine + r * (head_dim / 2), sine + r * (head_dim / 2), y + r * heads * head_dim,
          weight == nullptr ? nullptr : inverse_rms + r * heads);
    });
  });
}

template <typename T>
void norm_rope_backward(std::size_t rows, std::size_t heads, std::size_t head_dim,
                        std::size_t row_stride, const T* x, const float* weight,
                        const float* inverse_rms, const float* cosine, const float* sine,
                        const T* d_y, T* d_x, float* d_weight, SimdTarget target) {
  assert(head_dim % 2 == 0);
  ChunkSums sums(weight == nullptr ? 0 : rows, head_dim);
  ChunkSums scratch = sums;
  on_simd_target(target, [&](auto chosen) {
    for_each_chunk(rows, [&](std::size_t r, std::size_t count) {
      const bool normed = weight != nullptr;
      norm_rope_backward_rows<decltype(chosen)::value>(
          {count, heads, head_dim, row_stride}, normed ? x + r * row_stride : nullptr, weight,
          normed ? inverse_rms + r * heads : nullptr, cosine + r * (head_dim / 2),
          sine + r * (head_dim / 2), d_y + r * heads * head_dim, d_x + r * row_stride,
          normed ? sums.of_row(r) : nullptr, normed ? scratch.of_row(r) : nullptr);
    });
  });
  if (weight != nullptr) sums.add_to(d_weight);
}

template <typename T>
void swiglu_forward(std::size_t rows, std::size_t n, const T* gate_up, T* y, SimdTarget target) {
  on_simd_target(target, [&](auto chosen) {
    for_each_chunk(rows, [&](std::size_t r, std::size_t count) {
      swiglu_forward_rows<decltype(chosen)::value>(count, n, gate_up + 2 * r * n, y + r * n);
    });
  });
}

template <typename T>
void swiglu_backward(std::size_t rows, std::size_t n, const T* gate_up, const T* d_y, T* d_gate_up,
                     SimdTarget target) {
  on_simd_target(target, [&](auto chosen) {
    for_each_chunk(rows, [&](std::size_t r, std::size_t count) {
      swiglu_backward_rows<decltype(chosen)::value>(count, n, gate_up + 2 * r * n, d_y + r * n,
                                                    d_gate_up + 2 * r * n);
    });
  });
}

template <typename T>
double cross_entropy_in_place(std::size_t rows, std::size_t vocab, T* logits,
                              const std::int64_t* targets, float gradient_scale,
                              SimdTarget target) {
  std::vector<float> losses(rows);
  on_simd_target(target, [&](auto chosen) {
    for_each_chunk(rows, [&](std::size_t r, std::size_t count) {
      cross_entropy_rows<decltype(chosen)::value>(count, vocab, logits + r * vocab, targets + r,
                                                  gradient_scale, losses.data() + r);
    });
  });
  double sum = 0.0;
  for (const float loss : losses) sum += static_cast<double>(loss);
  return sum;
}

template void rms_norm_forward(std::size_t, std::size_t, const float*, const float*, float, float*,
                               float*, SimdTarget);
template void rms_norm_backward(std::size_t, std::size_t, const float*, const float*, const float*,
                                const float*, float*, float*, SimdTarget);
template void rms_norm_forward(std::size_t, std::size_t, const float*, const float*, float,
                               std::uint16_t*, float*, SimdTarget);
template void rms_norm_backward(std::size_t, std::size_t, const float*, const float*, const float*,
                                const std::uint16_t*, float*, float*, SimdTarget);
template void norm_rope_forward(std::size_t, std::size_t, std::size_t, std::size_t, const float*,
                                const float*, float, const float*, const float*, float*, float*,
                                SimdTarget);
template void norm_rope_backward(std::size_t, std::size_t, std::size_t, std::size_t, const float*,
                                 const float*, const float*, const float*, const float*,
                                 const float*, float*, float*, SimdTarget);
template void swiglu_forward(std::size_t, std::size_t, const float*, float*, SimdTarget);
template void swiglu_backward(std::size_t, std::size_t, const float*, const float*, float*,
                              SimdTarget);
template double cross_entropy_in_place(std::size_t, std::size_t, float*, const std::int64_t*, float,
                                       SimdTarget);
template void norm_rope_forward(std::size_t, std::size_t, std::size_t, std::size_t,
                                const std::uint16_t*, const float*, float, const float*,
                                const float*, std::uint16_t*, float*, SimdTarget);
template void norm_rope_backward(std::size_t, std::size_t, std::size_t, std::size_t,
                                 const std::uint16_t*, const float*, const float*, const float*,
                                 const float*, const std::uint16_t*, std::uint16_t*, float*,
                                 SimdTarget);
template void swiglu_forward(std::size_t, std::size_t, const std::uint16_t*, std::uint16_t*,
                             SimdTarget);
template void swiglu_backward(std::size_t, std::size_t, const std::uint16_t*, const std::uint16_t*,
                              std::uint16_t*, SimdTarget);
template double cross_entropy_in_place(std::size_t, std::size_t, std::uint16_t*,
                                       const std::int64_t*, float, SimdTarget);

}  // namespace laconic::train
