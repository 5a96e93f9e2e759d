// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <type_traits>
#include <vector>

#include "base/half.h"
#include "train/fused.h"

namespace laconic::train::reference {
namespace {

double value(float x) { return static_cast<double>(x); }
double value(std::uint16_t x) { return static_cast<double>(float_from_bf16(x)); }

void put(float& to, double x) { to = static_cast<float>(x); }
void put(std::uint16_t& to, double x) { to = bf16_from_float(static_cast<float>(x)); }

template <typename T>
double inverse_rms_of(std::size_t n, const T* x, float epsilon) {
  double sum = 0.0;
  for (std::size_t i = 0; i < n; ++i) sum += value(x[i]) * value(x[i]);
  return 1.0 / std::sqrt(sum / static_cast<double>(n) + value(epsilon));
}

// d_x of one row from d_y in f64; d_weight is added to.
template <typename T>
std::vector<double> norm_row_backward(std::size_t n, const T* x, const float* weight,
                                      double inverse, const std::vector<double>& d_y,
                                      std::vector<double>& d_weight) {
  double mean = 0.0;
  for (std::size_t i = 0; i < n; ++i)
    mean += d_y[i] * value(weight[i]) * value(x[i]) * inverse / static_cast<double>(n);
  std::vector<double> d_x(n);
  for (std::size_t i = 0; i < n; ++i) {
    const double x_hat = value(x[i]) * inverse;
    d_x[i] = inverse * (d_y[i] * value(weight[i]) - x_hat * mean);
    d_weight[i] += d_y[i] * x_hat;
  }
  return d_x;
}

double sigmoid(double x) { return 1.0 / (1.0 + std::exp(-x)); }

}  // namespace

template <typename T>
void rms_norm_forward(std::size_t rows, std::size_t n, const float* x, const float* weight,
                      float epsilon, T* y, float* inverse_rms) {
  for (std::size_t r = 0; r < rows; ++r) {
    const double inverse = inverse_rms_of(n, x + r * n, epsilon);
    put(inverse_rms[r], inverse);
    for (std::size_t i = 0; i < n; ++i)
      put(y[r * n + i], value(x[r * n + i]) * inverse * value(weight[i]));
  }
}

template <typename T>
void rms_norm_backward(std::size_t rows, std::size_t n, const float* x, const float* weight,
                       const float* inverse_rms, const T* d_y, float* d_x, float* d_weight) {
  std::vector<double> sum(n, 0.0), g(n);
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t i = 0; i < n; ++i) g[i] = value(d_y[r * n + i]);
    const auto row = norm_row_backward(n, x + r * n, weight, value(inverse_rms[r]), g, sum);
    for (std::size_t i = 0; i < n; ++i) put(d_x[r * n + i], row[i]);
  }
  for (std::size_t i = 0; i < n; ++i) put(d_weight[i], value(d_weight[i]) + sum[i]);
}

template <typename T>
void norm_rope_forward(std::size_t rows, std::size_t heads, std::size_t head_dim,
                       std::size_t row_stride, const T* x, const float* weight, float epsilon,
                       const float* cosine, const float* sine, T* y, float* inverse_rms) {
  const std::size_t half = head_dim / 2;
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t h = 0; h < heads; ++h) {
      const T* from = x + r * row_stride + h * head_dim;
      T* to = y + (r * heads + h) * head_dim;
      const double inverse = weight ? inverse_rms_of(head_dim, from, epsilon) : 1.0;
      if (weight) put(inverse_rms[r * heads + h], inverse);
      const auto normed = [&](std::size_t i) {
        return value(from[i]) * inverse * (weight ? value(weight[i]) : 1.0);
      };
      for (std::size_t i = 0; i < half; ++i) {
        const double c = value(cosine[r * half + i]), s = value(sine[r * half + i]);
        put(to[i], normed(i) * c - normed(half + i) * s);
        put(to[half + i], normed(half + i) * c + normed(i) * s);
      }
    }
}

template <typename T>
void norm_rope_backward(std::size_t rows, std::size_t heads, std::size_t head_dim,
                        std::size_t row_stride, const T* x, const float* weight,
                        const float* inverse_rms, const float* cosine, const float* sine,
                        const T* d_y, T* d_x, float* d_weight) {
  const std::size_t half = head_dim / 2;
  std::vector<double> sum(head_dim, 0.0), g(head_dim);
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t h = 0; h < heads; ++h) {
      const std::size_t at = r * row_stride + h * head_dim;
      const T* from = d_y + (r * heads + h) * head_dim;
      for (std::size_t i = 0; i < half; ++i) {
        const double c = value(cosine[r * half + i]), s = value(sine[r * half + i]);
        g[i] = value(from[i]) * c + value(from[half + i]) * s;
        g[half + i] = value(from[half + i]) * c - value(from[i]) * s;
      }
      std::vector<double> row = g;
      if (weight)
        row =
            norm_row_backward(head_dim, x + at, weight, value(inverse_rms[r * heads + h]), g, sum);
      for (std::size_t i = 0; i < head_dim; ++i) put(d_x[at + i], row[i]);
    }
  if (!weight) return;
  for (std::size_t i = 0; i < head_dim; ++i) put(d_weight[i], value(d_weight[i]) + sum[i]);
}

template <typename T>
void swiglu_forward(std::size_t rows, std::size_t n, const T* gate_up, T* y) {
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t i = 0; i < n; ++i) {
      const double gate = value(gate_up[2 * r * n + i]), up = value(gate_up[(2 * r + 1) * n + i]);
      put(y[r * n + i], gate * sigmoid(gate) * up);
    }
}

template <typename T>
void swiglu_backward(std::size_t rows, std::size_t n, const T* gate_up, const T* d_y,
                     T* d_gate_up) {
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t i = 0; i < n; ++i) {
      const double gate = value(gate_up[2 * r * n + i]), up = value(gate_up[(2 * r + 1) * n + i]);
      const double g = value(d_y[r * n + i]), s = sigmoid(gate);
      put(d_gate_up[2 * r * n + i], g * up * s * (1.0 + gate * (1.0 - s)));
      put(d_gate_up[(2 * r + 1) * n + i], g * gate * s);
    }
}

template <typename T>
double cross_entropy_in_place(std::size_t rows, std::size_t vocab, T* logits,
                              const std::int64_t* targets, float gradient_scale) {
  double losses = 0.0;
  for (std::size_t r = 0; r < rows; ++r) {
    T* row = logits + r * vocab;
    const bool counts = targets[r] >= 0;
    double most = -HUGE_VAL, sum = 0.0;
    for (std::size_t i = 0; i < vocab; ++i) most = std::fmax(most, value(row[i]));
    for (std::size_t i = 0; i < vocab; ++i) sum += std::exp(value(row[i]) - most);
    if (counts) losses += std::log(sum) + most - value(row[targets[r]]);
    for (std::size_t i = 0; i < vocab; ++i) {
      const double one = static_cast<std::int64_t>(i) == targets[r] ? 1.0 : 0.0;
      const double gradient = std::exp(value(row[i]) - most) / sum - one;
      put(row[i], counts ? gradient * value(gradient_scale) : 0.0);
    }
  }
  return losses;
}

template void rms_norm_forward(std::size_t, std::size_t, const float*, const float*, float, float*,
                               float*);
template void rms_norm_backward(std::size_t, std::size_t, const float*, const float*, const float*,
                                const float*, float*, float*);
template void rms_norm_forward(std::size_t, std::size_t, const float*, const float*, float,
                               std::uint16_t*, float*);
template void rms_norm_backward(std::size_t, std::size_t, const float*, const float*, const float*,
                                const std::uint16_t*, float*, float*);
template void norm_rope_forward(std::size_t, std::size_t, std::size_t, std::size_t, const float*,
                                const float*, float, const float*, const float*, float*, float*);
template void norm_rope_backward(std::size_t, std::size_t, std::size_t, std::size_t, const float*,
                                 const float*, const float*, const float*, const float*,
                                 const float*, float*, float*);
template void swiglu_forward(std::size_t, std::size_t, const float*, float*);
template void swiglu_backward(std::size_t, std::size_t, const float*, const float*, float*);
template double cross_entropy_in_place(std::size_t, std::size_t, float*, const std::int64_t*,
                                       float);
template void norm_rope_forward(std::size_t, std::size_t, std::size_t, std::size_t,
                                const std::uint16_t*, const float*, float, const float*,
                                const float*, std::uint16_t*, float*);
template void norm_rope_backward(std::size_t, std::size_t, std::size_t, std::size_t,
                                 const std::uint16_t*, const float*, const float*, const float*,
                                 const float*, const std::uint16_t*, std::uint16_t*, float*);
template void swiglu_forward(std::size_t, std::size_t, const std::uint16_t*, std::uint16_t*);
template void swiglu_backward(std::size_t, std::size_t, const std::uint16_t*, const std::uint16_t*,
                              std::uint16_t*);
template double cross_entropy_in_place(std::size_t, std::size_t, std::uint16_t*,
                                       const std::int64_t*, float);

}  // namespace laconic::train::reference
