// SPDX-License-Identifier: Apache-2.0
#include "engine/model_fingerprint.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "base/fnv.h"
#include "engine/model_impl.h"

namespace laconic {
namespace {

constexpr std::size_t kPiece = 1024;  // bytes taken at each place

void add_bytes(Fnv1a& hash, std::span<const std::byte> bytes) {
  const std::size_t piece = std::min(kPiece, bytes.size());
  hash.add(bytes.first(piece));
  hash.add(bytes.subspan((bytes.size() - piece) / 2, piece));
  hash.add(bytes.last(piece));
}

void add(Fnv1a& hash, const Matrix& matrix) {
  hash.add(fmt::format("{} {} {};", dtype_name(matrix.type()), matrix.rows(), matrix.cols()));
  add_bytes(hash, matrix.bytes());
}

void add(Fnv1a& hash, const std::vector<float>& vector) {
  hash.add(std::as_bytes(std::span<const float>(vector)));
}

void add(Fnv1a& hash, const RopeConfig& rope) {
  hash.add(fmt::format("{} {} {} {} {} {} {} {} {};", static_cast<int>(rope.scaling), rope.theta,
                       rope.factor, rope.original_context, rope.low_freq_factor,
                       rope.high_freq_factor, rope.beta_fast, rope.beta_slow,
                       rope.attention_factor));
  add(hash, rope.frequency_divisors);
}

}  // namespace

std::string model_fingerprint(const Model& model) {
  return model_fingerprint(model.impl().weights);
}

std::string model_fingerprint(const Weights& weights) {
  const ModelConfig& config = weights.config;
  Fnv1a hash;
  hash.add(fmt::format("{} {} {} {} {} {};", architecture_name(config.architecture), config.layers,
                       config.heads, config.kv_heads, config.head_dim, config.norm_eps));
  add(hash, config.rope);
  add(hash, weights.embedding);
  add(hash, weights.head);
  add(hash, weights.final_norm);
  for (const LayerWeights& layer : weights.layers) {
    for (const auto* vector : {&layer.attention_norm, &layer.q_bias, &layer.k_bias, &layer.v_bias,
                               &layer.o_bias, &layer.q_norm, &layer.k_norm, &layer.mlp_norm}) {
      add(hash, *vector);
    }
    for (const auto* matrix :
         {&layer.q, &layer.k, &layer.v, &layer.o, &layer.gate, &layer.up, &layer.down}) {
      add(hash, *matrix);
    }
  }
  return fmt::format("{:016x}", hash.value());
}

}  // namespace laconic
