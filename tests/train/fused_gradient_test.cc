// SPDX-License-Identifier: Apache-2.0
// The gradients of the element-wise loops against the slopes of what they are gradients of.
#include <gtest/gtest.h>

#include "train/fused.h"
#include "twins.h"

namespace laconic::train {
namespace {

using test::random_values;

using Floats = std::vector<float>;
constexpr float kEpsilon = 1e-6f;

// Along a random direction, the change of sum(y * d_y) is the gradient's product with it.
template <typename Loss>
void expect_slope(const Loss& loss, const Floats& at, const Floats& gradient) {
  const Floats direction = random_values<float>(at.size(), 31);
  const float step = 1e-2f;
  Floats up = at, down = at;
  double want = 0.0;
  for (std::size_t i = 0; i < at.size(); ++i) {
    up[i] += step * direction[i];
    down[i] -= step * direction[i];
    want += static_cast<double>(gradient[i]) * static_cast<double>(direction[i]);
  }
  EXPECT_NEAR((loss(up) - loss(down)) / (2.0 * static_cast<double>(step)), want,
              2e-3 * (1.0 + std::abs(want)));
}

double dot(const Floats& a, const Floats& b) {
  double sum = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i)
    sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return sum;
}

TEST(FusedGradient, OfRmsNormIsTheSlope) {
  const Floats x = random_values<float>(5 * 12, 1), weight = random_values<float>(12, 2);
  const Floats d_y = random_values<float>(5 * 12, 3);
  Floats y(60), inverse(5), d_x(60), d_weight(12, 0.0f);
  const auto loss = [&](const Floats& at_x, const Floats& at_weight) {
    rms_norm_forward(5, 12, at_x.data(), at_weight.data(), kEpsilon, y.data(), inverse.data());
    return dot(y, d_y);
  };
  loss(x, weight);
  rms_norm_backward(5, 12, x.data(), weight.data(), inverse.data(), d_y.data(), d_x.data(),
                    d_weight.data());
  expect_slope([&](const Floats& at) { return loss(at, weight); }, x, d_x);
  expect_slope([&](const Floats& at) { return loss(x, at); }, weight, d_weight);
}

TEST(FusedGradient, OfNormAndRopeIsTheSlope) {
  const Floats x = random_values<float>(5 * 24, 1), weight = random_values<float>(8, 2);
  const Floats d_y = random_values<float>(5 * 24, 3);
  const Floats cosine = random_values<float>(20, 4), sine = random_values<float>(20, 5);
  Floats y(120), inverse(15), d_x(120), d_weight(8, 0.0f);
  const auto loss = [&](const Floats& at_x, const Floats& at_weight) {
    norm_rope_forward(5, 3, 8, 24, at_x.data(), at_weight.data(), kEpsilon, cosine.data(),
                      sine.data(), y.data(), inverse.data());
    return dot(y, d_y);
  };
  loss(x, weight);
  norm_rope_backward(5, 3, 8, 24, x.data(), weight.data(), inverse.data(), cosine.data(),
                     sine.data(), d_y.data(), d_x.data(), d_weight.data());
  expect_slope([&](const Floats& at) { return loss(at, weight); }, x, d_x);
  expect_slope([&](const Floats& at) { return loss(x, at); }, weight, d_weight);
}

TEST(FusedGradient, OfSwigluAndOfTheLossAreSlopes) {
  const Floats gate_up = random_values<float>(5 * 24, 1), d_y = random_values<float>(5 * 12, 3);
  Floats y(60), d_gate_up(120);
  swiglu_backward(5, 12, gate_up.data(), d_y.data(), d_gate_up.data());
  expect_slope(
      [&](const Floats& at) {
        swiglu_forward(5, 12, at.data(), y.data());
        return dot(y, d_y);
      },
      gate_up, d_gate_up);
  const Floats logits = random_values<float>(5 * 24, 1);
  const std::vector<std::int64_t> targets = {0, 23, -1, 7, 8};
  const auto loss = [&](Floats at) {
    return cross_entropy_in_place(5, 24, at.data(), targets.data(), 1.0f);
  };
  Floats gradient = logits;
  cross_entropy_in_place(5, 24, gradient.data(), targets.data(), 1.0f);
  expect_slope(loss, logits, gradient);
}

}  // namespace
}  // namespace laconic::train
