// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/elementwise.h"

namespace laconic::reference {

void rms_norm(const float* x, const float* weight, float eps, std::size_t n, float* y) {
  double squares = 0;
  for (std::size_t i = 0; i < n; ++i) squares += static_cast<double>(x[i]) * x[i];
  const double scale = 1 / std::sqrt(squares / static_cast<double>(n) + eps);
  for (std::size_t i = 0; i < n; ++i) y[i] = static_cast<float>(x[i] * scale * weight[i]);
}

void add_in_place(float* y, const float* x, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) y[i] += x[i];
}

bool add_residual(float* x, const float* delta, const float* bias, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) x[i] += bias == nullptr ? delta[i] : delta[i] + bias[i];
  return all_finite(x, n);
}

void swiglu(const float* gate, const float* up, std::size_t n, float* out) {
  for (std::size_t i = 0; i < n; ++i) {
    const double g = gate[i];
    out[i] = static_cast<float>(g / (1 + std::exp(-g)) * up[i]);
  }
}

void softmax_in_place(float* x, std::size_t n) {
  double largest = -std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < n; ++i) largest = std::max<double>(largest, x[i]);
  std::vector<double> e(n);
  double total = 0;
  for (std::size_t i = 0; i < n; ++i) total += e[i] = std::exp(x[i] - largest);
  for (std::size_t i = 0; i < n; ++i) x[i] = static_cast<float>(e[i] / total);
}

void rope_in_place(float* head, const float* cos, const float* sin, std::size_t d) {
  const std::size_t half = d / 2;
  for (std::size_t i = 0; i < half; ++i) {
    const double a = head[i];
    const double b = head[half + i];
    head[i] = static_cast<float>(a * cos[i] - b * sin[i]);
    head[half + i] = static_cast<float>(b * cos[i] + a * sin[i]);
  }
}

bool all_finite(const float* x, std::size_t n) {
  return std::all_of(x, x + n, [](float value) { return std::isfinite(value); });
}

std::size_t argmax(const float* x, std::size_t n) {
  return static_cast<std::size_t>(std::max_element(x, x + n) - x);
}

std::size_t find_at_least(const float* x, std::size_t n, float least, std::int32_t* places) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < n; ++i) {
    if (x[i] >= least) places[count++] = static_cast<std::int32_t>(i);
  }
  return count;
}

}  // namespace laconic::reference
