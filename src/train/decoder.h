// SPDX-License-Identifier: Apache-2.0
// The decoder of Llama, Qwen2 and Qwen3 in libtorch, for training on packed texts.
//
// Promises: the engine's arithmetic (logits agree to 1e-4 in f32), parameters under their Hugging
// Face names, and the same bits for the same threads. Refuses what the engine reads but training
// does not support (RoPE scaling), by name.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "train/compat.h"
#include "train/packed_batch.h"

namespace laconic::train {

struct DecoderConfig {
  std::string architecture;  // "llama", "qwen2", "qwen3": model_type of config.json
  std::int64_t vocab = 0, hidden = 0, layers = 0, heads = 0, kv_heads = 0, head_dim = 0;
  std::int64_t intermediate = 0, context = 0;
  double rope_theta = 10000.0, norm_epsilon = 1e-6;
  bool tied = true;
  std::vector<std::int64_t> eos;  // eos_token_id, none, one or several
  std::int64_t bos = -1;          // bos_token_id; -1: none

  bool qk_norm() const { return architecture == "qwen3"; }
  bool qkv_bias() const { return architecture == "qwen2"; }

  // From the fields of a config.json. Error(kInput) names what is missing or not supported.
  static DecoderConfig from_json(const Json& config, std::string_view where);
  Json to_json() const;  // a whole config.json, torch_dtype left out
};

// Element type of activations and products; parameters stay f32.
enum class Precision { kF32, kBF16 };

class Decoder {
 public:
  // Random weights: normal with standard deviation 0.02, output projections scaled by
  // 1 / sqrt(2 layers), norms 1, those of query and key heads 2; keyed by `seed` and the
  // parameter's name, not by order.
  Decoder(const DecoderConfig& config, std::uint64_t seed, torch::Device device = torch::kCPU);

  const DecoderConfig& config() const { return config_; }

  // (Hugging Face name, f32 leaf tensor that requires a gradient), in a fixed order.
  const std::vector<std::pair<std::string, Tensor>>& parameters() const { return parameters_; }

  // Mean cross-entropy over the targets that are not -1; a scalar with a graph to the parameters
  // (none under at::NoGradGuard), 0 where all targets are -1. Error(kInput) for ids and targets
  // outside the vocabulary.
  Tensor loss(const PackedBatch& batch, Precision precision) const;

  // f32 [tokens][vocab], no graph.
  Tensor logits(const PackedBatch& batch, Precision precision) const;

  // The weights of a Hugging Face folder (model.safetensors, any float type) into the parameters.
  // Error(kInput) for a tensor that is missing, of another shape, or that no parameter takes.
  void load_weights(const std::filesystem::path& folder);
  // config.json and model.safetensors; `dtype` is "float32" or "bfloat16". Each file whole or
  // absent. The folder is made where it is missing.
  void save(const std::filesystem::path& folder, const std::string& dtype) const;

 private:
  // Handles to the parameters of one layer; those that the architecture lacks are undefined.
  struct Layer {
    Tensor input_norm, q, k, v, q_bias, k_bias, v_bias, q_norm, k_norm, o;
    Tensor post_attention_norm, gate, up, down;
  };

  Tensor add_parameter(const std::string& name, std::vector<std::int64_t> shape,
                       std::uint64_t seed);
  Layer add_layer(std::int64_t index, std::uint64_t seed);
  // The residual stream after the last layer, f32 [rows][hidden]: all tokens, or those that
  // `rows` int64 names.
  Tensor residual(const PackedBatch& batch, const Tensor& rows, Precision precision) const;
  void check_batch(const PackedBatch& batch) const;

  DecoderConfig config_;
  std::vector<std::pair<std::string, Tensor>> parameters_;
  Tensor embedding_, final_norm_, head_;  // head_ is embedding_ where they are tied
  std::vector<Layer> layers_;
  torch::Device device_;
};

}  // namespace laconic::train
