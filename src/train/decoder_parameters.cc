// SPDX-License-Identifier: Apache-2.0
// Which parameters a decoder has, under which names, and how they begin.
#include <cmath>
#include <span>
#include <string_view>

#include "base/fnv.h"
#include "train/decoder.h"

namespace laconic::train {
namespace {

constexpr double kDeviation = 0.02;
// At 1, heads of 32 cannot score a perfect match above 32 / sqrt(32) = 5.7: too flat to pick one
// token among hundreds. Trained norms grew to 1.4 within 1000 steps and kept growing; begun at 2,
// ledger problems reached a loss of 0.2 after 1.7 instead of 2.0 million tokens.
constexpr double kHeadNorm = 2.0;

// Over the seed's bytes and the name: a parameter's values depend on nothing else.
std::uint64_t key_of(std::uint64_t seed, std::string_view name) {
  Fnv1a hash;
  hash.add(std::as_bytes(std::span<const std::uint64_t>(&seed, 1)));
  hash.add(name);
  return hash.value();
}

}  // namespace

Tensor Decoder::add_parameter(const std::string& name, std::vector<std::int64_t> shape,
                              std::uint64_t seed) {
  Tensor value = at::zeros(shape, at::kFloat);
  if (name.ends_with("q_norm.weight") || name.ends_with("k_norm.weight")) {
    value.fill_(kHeadNorm);
  } else if (name.ends_with("norm.weight")) {
    value.fill_(1.0);
  } else if (!name.ends_with(".bias")) {
    // What a layer adds to the residual stream shrinks with their number, so that the sum does not
    // grow with depth (Radford et al. 2019, section 2.3).
    const bool adds = name.ends_with("o_proj.weight") || name.ends_with("down_proj.weight");
    const double deviation =
        adds ? kDeviation / std::sqrt(2.0 * static_cast<double>(config_.layers)) : kDeviation;
    value.normal_(0.0, deviation, at::detail::createCPUGenerator(key_of(seed, name)));
  }
  value = value.to(device_).requires_grad_(true);
  parameters_.emplace_back(name, value);
  return value;
}

Decoder::Layer Decoder::add_layer(std::int64_t index, std::uint64_t seed) {
  const std::int64_t hidden = config_.hidden, inner = config_.intermediate;
  const std::int64_t q_width = config_.heads * config_.head_dim;
  const std::int64_t kv_width = config_.kv_heads * config_.head_dim;
  const auto add = [&](const char* name, std::vector<std::int64_t> shape) {
    return add_parameter("model.layers." + std::to_string(index) + "." + name, std::move(shape),
                         seed);
  };
  Layer layer;
  layer.input_norm = add("input_layernorm.weight", {hidden});
  layer.q = add("self_attn.q_proj.weight", {q_width, hidden});
  layer.k = add("self_attn.k_proj.weight", {kv_width, hidden});
  layer.v = add("self_attn.v_proj.weight", {kv_width, hidden});
  layer.o = add("self_attn.o_proj.weight", {hidden, q_width});
  if (config_.qkv_bias()) {
    layer.q_bias = add("self_attn.q_proj.bias", {q_width});
    layer.k_bias = add("self_attn.k_proj.bias", {kv_width});
    layer.v_bias = add("self_attn.v_proj.bias", {kv_width});
  }
  if (config_.qk_norm()) {
    layer.q_norm = add("self_attn.q_norm.weight", {config_.head_dim});
    layer.k_norm = add("self_attn.k_norm.weight", {config_.head_dim});
  }
  layer.post_attention_norm = add("post_attention_layernorm.weight", {hidden});
  layer.gate = add("mlp.gate_proj.weight", {inner, hidden});
  layer.up = add("mlp.up_proj.weight", {inner, hidden});
  layer.down = add("mlp.down_proj.weight", {hidden, inner});
  return layer;
}

}  // namespace laconic::train
