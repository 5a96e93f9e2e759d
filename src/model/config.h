// SPDX-License-Identifier: Apache-2.0
// What a decoder is: sizes, norms, RoPE. Read from config.json (old and new spellings) or GGUF.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "io/gguf.h"
#include "kv/sequence_cache.h"

namespace laconic {

enum class Architecture { kLlama, kQwen2, kQwen3 };

struct RopeConfig {
  double theta = 10000.0;
  enum class Scaling { kNone, kLinear, kLlama3, kYarn } scaling = Scaling::kNone;
  double factor = 1.0;
  double original_context = 0;                           // llama3, yarn
  double low_freq_factor = 1.0, high_freq_factor = 4.0;  // llama3
  double beta_fast = 32.0, beta_slow = 1.0;              // yarn
  double attention_factor = 0.0;                         // yarn; 0: derived from factor
  std::vector<float> frequency_divisors;  // [head_dim/2] GGUF rope_freqs; empty: none

  bool operator==(const RopeConfig&) const = default;
};

struct ModelConfig {
  Architecture architecture = Architecture::kLlama;
  std::size_t layers = 0, hidden = 0, intermediate = 0, vocab = 0;
  std::size_t heads = 0, kv_heads = 0, head_dim = 0;
  std::size_t context = 0;  // max_position_embeddings; what yarn stretches to where that is more
  float norm_eps = 1e-6f;
  bool qkv_bias = false;   // qwen2; attention_bias
  bool o_bias = false;     // attention_bias of llama and qwen3
  bool qk_norm = false;    // qwen3
  bool tied_head = false;  // output head is the embedding
  RopeConfig rope;
  std::vector<std::int32_t> eos;  // eos_token_id, one or several
  std::int32_t bos = -1;
  std::string name;  // for reports

  KvShape kv_shape() const { return {layers, heads, kv_heads, head_dim}; }
  // K and V bytes of one token over all layers and heads, for rows of `type`.
  std::size_t kv_bytes_per_token(DType type) const;
};

std::string_view architecture_name(Architecture architecture);  // "llama", "qwen2", "qwen3"

// Error(kInput) names the field; unsupported models and active sliding windows are refused.
ModelConfig config_from_hf(const Json& config, std::string_view where);
ModelConfig config_from_gguf(const GgufMetadata& metadata, std::string_view where);
// What only the tensors of a GGUF tell is filled in by Checkpoint: tied_head, biases, the exact
// vocabulary, frequency divisors.
// GGUF keys of this config, as llama.cpp reads them.
GgufMetadata config_to_gguf(const ModelConfig& config);
Json config_to_hf(const ModelConfig& config, DType type);

// Inverse frequencies of RoPE after scaling [head_dim/2], and the factor on cos and sin (yarn).
struct RopeTable {
  std::vector<double> inverse_frequency;
  double magnitude = 1.0;
};
RopeTable rope_table(const RopeConfig& rope, std::size_t head_dim);

}  // namespace laconic
