// SPDX-License-Identifier: Apache-2.0
// The one place that knows how libtorch versions differ (1.13 to current).
#pragma once

#include <torch/torch.h>
#include <torch/version.h>

namespace laconic::train {

using torch::Tensor;

// Causal attention of one text: q, k, v and the result [1][heads][tokens][head_dim], scores scaled
// by 1 / sqrt(head_dim). From libtorch 2.0 on the library's own fused kernel where the device has
// one.
inline Tensor causal_attention(const Tensor& q, const Tensor& k, const Tensor& v) {
#if TORCH_VERSION_MAJOR >= 2
  return at::scaled_dot_product_attention(q, k, v, {}, 0.0, /*is_causal=*/true);
#else
  const auto n = q.size(2);
  const double scale = 1.0 / std::sqrt(static_cast<double>(q.size(3)));
  const Tensor future = at::ones({n, n}, q.options().dtype(at::kBool)).triu(1);
  const Tensor scores = at::matmul(q, k.transpose(2, 3)).to(at::kFloat) * scale;
  const Tensor weights =
      at::softmax(scores.masked_fill(future, -std::numeric_limits<double>::infinity()), -1);
  return at::matmul(weights.to(v.scalar_type()), v);
#endif
}

}  // namespace laconic::train
