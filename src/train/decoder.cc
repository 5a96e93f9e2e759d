// SPDX-License-Identifier: Apache-2.0
#include "train/decoder.h"

#include <cmath>

#include "base/error.h"
#include "train/filling.h"
#include "train/functions.h"
#include "train/rope_table.h"

namespace laconic::train {
namespace {

// Few enough rows to be wasted, many enough for the numbers of rows to come again soon.
constexpr std::int64_t kRowStep = 128;

at::ScalarType element_type(Precision precision) {
  return precision == Precision::kBF16 ? at::kBFloat16 : at::kFloat;
}

void check_ids(const Tensor& ids, std::int64_t least, std::int64_t vocab, const char* what) {
  if (ids.numel() == 0) return;
  const auto low = ids.min().item<std::int64_t>(), high = ids.max().item<std::int64_t>();
  if (low >= least && high < vocab) return;
  throw_input("the batch has the {} {}, but the vocabulary has {} tokens", what,
              low < least ? low : high, vocab);
}

}  // namespace

Decoder::Decoder(const DecoderConfig& config, std::uint64_t seed, torch::Device device)
    : config_(config), device_(device) {
  embedding_ = add_parameter("model.embed_tokens.weight", {config.vocab, config.hidden}, seed);
  for (std::int64_t n = 0; n < config.layers; ++n) layers_.push_back(add_layer(n, seed));
  final_norm_ = add_parameter("model.norm.weight", {config.hidden}, seed);
  head_ = config.tied ? embedding_
                      : add_parameter("lm_head.weight", {config.vocab, config.hidden}, seed);
}

Tensor Decoder::residual(const PackedBatch& batch, const Tensor& rows, Precision precision) const {
  const at::ScalarType type = element_type(precision);
  const double epsilon = config_.norm_epsilon;
  const HeadShape shape{config_.heads, config_.kv_heads, config_.head_dim, epsilon};
  const RopeRows rope =
      rope_rows(batch.positions.to(device_), config_.head_dim, config_.rope_theta);
  Tensor x = at::embedding(embedding_, batch.ids.to(device_));
  for (std::size_t n = 0; n < layers_.size(); ++n) {
    const Layer& layer = layers_[n];
    Tensor qkv =
        project(rms_norm(x, layer.input_norm, epsilon, type), at::cat({layer.q, layer.k, layer.v}));
    if (layer.q_bias.defined()) {
      qkv = qkv + at::cat({layer.q_bias, layer.k_bias, layer.v_bias}).to(type);
    }
    Tensor mixed =
        attention(shape, batch.starts,
                  split_heads(shape, qkv, layer.q_norm, layer.k_norm, rope.cosine, rope.sine));
    mixed = mixed.view({x.size(0), config_.heads * config_.head_dim});
    if (n + 1 == layers_.size() && rows.defined()) {
      // From here on no token looks at another: only those whose logits are wanted go on.
      mixed = mixed.index_select(0, rows);
      x = x.index_select(0, rows);
    }
    x = x + project(mixed, layer.o);
    const Tensor gate_up = project(rms_norm(x, layer.post_attention_norm, epsilon, type),
                                   at::cat({layer.gate, layer.up}));
    x = x + project(swiglu(gate_up), layer.down);
  }
  return x;
}

Tensor Decoder::loss(const PackedBatch& batch, Precision precision) const {
  check_batch(batch);
  const std::int64_t step = precision == Precision::kBF16 ? kRowStep : 1;
  const PackedBatch filled = filled_batch(batch, step);
  const Tensor targets = filled.targets.to(device_);
  const Tensor learned = at::nonzero(targets >= 0).squeeze(1);
  const Tensor hidden = rms_norm(residual(filled, filled_rows(learned, step, 0), precision),
                                 final_norm_, config_.norm_epsilon, element_type(precision));
  return linear_cross_entropy(hidden, head_,
                              filled_rows(targets.index_select(0, learned), step, -1));
}

Tensor Decoder::logits(const PackedBatch& batch, Precision precision) const {
  const at::NoGradGuard no_grad;
  check_batch(batch);
  const Tensor hidden = rms_norm(residual(batch, Tensor(), precision), final_norm_,
                                 config_.norm_epsilon, element_type(precision));
  return project(hidden, head_).to(at::kFloat);
}

void Decoder::check_batch(const PackedBatch& batch) const {
  const std::int64_t tokens = batch.ids.numel();
  TORCH_INTERNAL_ASSERT(batch.targets.numel() == tokens && batch.positions.numel() == tokens &&
                        !batch.starts.empty() && batch.starts.back() == tokens);
  check_ids(batch.ids, 0, config_.vocab, "token");
  check_ids(batch.targets, -1, config_.vocab, "target");
}

}  // namespace laconic::train
