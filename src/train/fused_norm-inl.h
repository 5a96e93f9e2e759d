// SPDX-License-Identifier: Apache-2.0
// RMSNorm of rows and of heads, and RoPE. Included by cpu_*.cc alone.
#pragma once

#include "train/fused_rows.h"
#include "train/simd-inl.h"

namespace laconic::train {
namespace {

template <typename T>
LACONIC_INLINE float inverse_rms_of(std::size_t n, const T* x, float epsilon) {
  Floats sum = {};
  for_each_vector(n, [&](std::size_t i, auto load_at, auto) {
    const Floats v = load_at(x + i);
    sum += v * v;
  });
  return 1.0f / __builtin_sqrtf(sum_of_lanes(sum) / static_cast<float>(n) + epsilon);
}

// d_x = inverse * (g - x_hat * mean(g * x_hat)) with g = d_y * weight and x_hat = x * inverse.
template <typename TX, typename TY, typename TD>
LACONIC_INLINE void norm_row_backward(std::size_t n, const TX* x, const float* weight,
                                      float inverse, const TY* d_y, TD* d_x, float* d_weight) {
  Floats sum = {};
  for_each_vector(n, [&](std::size_t i, auto load_at, auto store_at) {
    const Floats along = load_at(d_y + i) * (load_at(x + i) * inverse);
    store_at(d_weight + i, load_at(d_weight + i) + along);
    sum += along * load_at(weight + i);
  });
  const float mean = sum_of_lanes(sum) / static_cast<float>(n);
  for_each_vector(n, [&](std::size_t i, auto load_at, auto store_at) {
    const Floats g = load_at(d_y + i) * load_at(weight + i);
    store_at(d_x + i, inverse * (g - load_at(x + i) * (inverse * mean)));
  });
}

// A row's heads are a part of a wider row (queries, keys and values lie together): the hardware's
// prefetcher stops at the part's end, so the row after next is asked for by hand.
template <typename T>
LACONIC_INLINE void fetch_ahead(const RopeShape& shape, std::size_t row, const T* x) {
  if (row + 2 >= shape.rows) return;
  const T* ahead = x + (row + 2) * shape.row_stride;
  for (std::size_t i = 0; i < shape.heads * shape.head_dim; i += 64 / sizeof(T))
    __builtin_prefetch(ahead + i);
}

}  // namespace

template <SimdTarget kTarget, typename T>
void rms_norm_forward_rows(std::size_t rows, std::size_t n, const float* x, const float* weight,
                           float epsilon, T* y, float* inverse_rms) {
  for (std::size_t r = 0; r < rows; ++r, x += n, y += n) {
    const float inverse = inverse_rms_of(n, x, epsilon);
    inverse_rms[r] = inverse;
    for_each_vector(n, [=](std::size_t i, auto load_at, auto store_at) {
      store_at(y + i, load_at(x + i) * inverse * load_at(weight + i));
    });
  }
}

template <SimdTarget kTarget, typename T>
void rms_norm_backward_rows(std::size_t rows, std::size_t n, const float* x, const float* weight,
                            const float* inverse_rms, const T* d_y, float* d_x, float* d_weight) {
  for (std::size_t r = 0; r < rows; ++r)
    norm_row_backward(n, x + r * n, weight, inverse_rms[r], d_y + r * n, d_x + r * n, d_weight);
}

template <SimdTarget kTarget, typename T>
void norm_rope_forward_rows(const RopeShape& shape, const T* x, const float* weight, float epsilon,
                            const float* cosine, const float* sine, T* y, float* inverse_rms) {
  const std::size_t half = shape.head_dim / 2;
  for (std::size_t r = 0; r < shape.rows; ++r) {
    const float* c = cosine + r * half;
    const float* s = sine + r * half;
    fetch_ahead(shape, r, x);
    for (std::size_t h = 0; h < shape.heads; ++h) {
      const T* from = x + r * shape.row_stride + h * shape.head_dim;
      T* to = y + (r * shape.heads + h) * shape.head_dim;
      float inverse = 1.0f;
      if (weight != nullptr) {
        inverse = inverse_rms_of(shape.head_dim, from, epsilon);
        inverse_rms[r * shape.heads + h] = inverse;
      }
      for_each_vector(half, [=](std::size_t i, auto load_at, auto store_at) {
        Floats a = load_at(from + i);
        Floats b = load_at(from + half + i);
        if (weight != nullptr) {
          a *= inverse * load_at(weight + i);
          b *= inverse * load_at(weight + half + i);
        }
        const Floats ci = load_at(c + i);
        const Floats si = load_at(s + i);
        store_at(to + i, a * ci - b * si);
        store_at(to + half + i, b * ci + a * si);
      });
    }
  }
}

template <SimdTarget kTarget, typename T>
void norm_rope_backward_rows(const RopeShape& shape, const T* x, const float* weight,
                             const float* inverse_rms, const float* cosine, const float* sine,
                             const T* d_y, T* d_x, float* d_weight, float* d_normed) {
  const std::size_t half = shape.head_dim / 2;
  const auto unrotate = [half](const float* c, const float* s, const T* from, auto* to)
      __attribute__((always_inline)) {
    for_each_vector(half, [=](std::size_t i, auto load_at, auto store_at) {
      const Floats a = load_at(from + i);
      const Floats b = load_at(from + half + i);
      const Floats ci = load_at(c + i);
      const Floats si = load_at(s + i);
      store_at(to + i, a * ci + b * si);
      store_at(to + half + i, b * ci - a * si);
    });
  };
  for (std::size_t r = 0; r < shape.rows; ++r) {
    if (weight != nullptr) fetch_ahead(shape, r, x);
    for (std::size_t h = 0; h < shape.heads; ++h) {
      const std::size_t at = r * shape.row_stride + h * shape.head_dim;
      const T* from = d_y + (r * shape.heads + h) * shape.head_dim;
      if (weight == nullptr) {
        unrotate(cosine + r * half, sine + r * half, from, d_x + at);
        continue;
      }
      unrotate(cosine + r * half, sine + r * half, from, d_normed);
      norm_row_backward(shape.head_dim, x + at, weight, inverse_rms[r * shape.heads + h], d_normed,
                        d_x + at, d_weight);
    }
  }
}

}  // namespace laconic::train
