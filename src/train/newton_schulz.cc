// SPDX-License-Identifier: Apache-2.0
#include "train/newton_schulz.h"

namespace laconic::train {
namespace {

constexpr int kSteps = 5;
constexpr double kA = 3.4445, kB = -4.7750, kC = 2.0315;
constexpr double kTiny = 1e-7;  // an all-zero momentum stays zero

}  // namespace

Tensor orthogonalized(const Tensor& matrices) {
  const torch::NoGradGuard no_grad;
  // The smaller side first: A is then the smaller of the two possible squares.
  const bool tall = matrices.size(1) > matrices.size(2);
  Tensor x = tall ? matrices.transpose(1, 2) : matrices;
  // The Frobenius norm bounds the largest singular value, so that the iteration converges.
  const Tensor norm = at::frobenius_norm(matrices.to(torch::kF32), {1, 2}, /*keepdim=*/true);
  x = (x / (norm + kTiny)).to(torch::kBFloat16).contiguous();
  for (int step = 0; step < kSteps; ++step) {
    const Tensor a = at::bmm(x, x.transpose(1, 2));
    const Tensor b = at::baddbmm(a, a, a, kB, kC);
    x = at::baddbmm(x, b, x, kA, 1.0);
  }
  x = x.to(torch::kF32);
  return tall ? x.transpose(1, 2).contiguous() : x;
}

}  // namespace laconic::train
