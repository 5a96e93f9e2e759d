// SPDX-License-Identifier: Apache-2.0
#include "train/reference.h"

namespace laconic::train::reference {
namespace {

Tensor normed(const Tensor& x, const Tensor& weight, double epsilon) {
  return x * at::rsqrt(x.square().mean(-1, /*keepdim=*/true) + epsilon) * weight;
}

// x [rows][heads * head_dim] -> [rows][heads][head_dim], pairs (j, j + head_dim / 2) turned.
Tensor norm_rope(const Tensor& x, std::int64_t head_dim, const Tensor& weight, double epsilon,
                 const Tensor& cosine, const Tensor& sine) {
  Tensor heads = x.reshape({x.size(0), -1, head_dim}).to(at::kFloat);
  if (weight.defined()) heads = normed(heads, weight, epsilon);
  const auto halves = heads.chunk(2, -1);
  const Tensor c = cosine.unsqueeze(1), s = sine.unsqueeze(1);
  return at::cat({halves[0] * c - halves[1] * s, halves[1] * c + halves[0] * s}, -1)
      .to(x.scalar_type());
}

// [tokens][heads][head_dim] -> [1][heads * repeat][tokens][head_dim]
Tensor heads_first(const Tensor& x, std::int64_t repeat) {
  const Tensor all = repeat == 1 ? x : x.repeat_interleave(repeat, 1);
  return all.transpose(0, 1).unsqueeze(0);
}

}  // namespace

Tensor project(const Tensor& x, const Tensor& weight) {
  return at::mm(x, weight.to(x.scalar_type()).t());
}

Tensor rms_norm(const Tensor& x, const Tensor& weight, double epsilon, at::ScalarType type) {
  return normed(x.to(at::kFloat), weight, epsilon).to(type);
}

QueryKeyValue split_heads(const HeadShape& shape, const Tensor& qkv, const Tensor& q_norm,
                          const Tensor& k_norm, const Tensor& cosine, const Tensor& sine) {
  const std::int64_t q_width = shape.heads * shape.head_dim;
  const std::int64_t kv_width = shape.kv_heads * shape.head_dim;
  const auto parts = qkv.split_with_sizes({q_width, kv_width, kv_width}, 1);
  return {norm_rope(parts[0], shape.head_dim, q_norm, shape.norm_epsilon, cosine, sine),
          norm_rope(parts[1], shape.head_dim, k_norm, shape.norm_epsilon, cosine, sine),
          parts[2].reshape({qkv.size(0), shape.kv_heads, shape.head_dim})};
}

Tensor attention(const HeadShape& shape, const std::vector<std::int64_t>& starts,
                 const QueryKeyValue& heads) {
  const std::int64_t group = shape.heads / shape.kv_heads;
  std::vector<Tensor> texts;
  for (std::size_t t = 0; t + 1 < starts.size(); ++t) {
    const std::int64_t begin = starts[t], count = starts[t + 1] - starts[t];
    const Tensor mixed = causal_attention(heads_first(heads.q.narrow(0, begin, count), 1),
                                          heads_first(heads.k.narrow(0, begin, count), group),
                                          heads_first(heads.v.narrow(0, begin, count), group));
    texts.push_back(mixed.squeeze(0).transpose(0, 1));
  }
  return at::cat(texts, 0).contiguous();
}

Tensor swiglu(const Tensor& gate_up) {
  const auto halves = gate_up.to(at::kFloat).chunk(2, -1);
  return (at::silu(halves[0]) * halves[1]).to(gate_up.scalar_type());
}

Tensor linear_cross_entropy(const Tensor& hidden, const Tensor& weight, const Tensor& targets) {
  const Tensor logits = reference::project(hidden, weight).to(at::kFloat);
  const Tensor picked = logits.gather(1, targets.clamp_min(0).unsqueeze(1)).squeeze(1);
  const Tensor counts = (targets >= 0).to(at::kFloat);
  return ((logits.logsumexp(1) - picked) * counts).sum() / counts.sum().clamp_min(1.0);
}

}  // namespace laconic::train::reference
