// SPDX-License-Identifier: Apache-2.0
// The tensors of a decoder, and what each is called in a GGUF.
#include <array>
#include <utility>

#include "base/error.h"
#include "model/checkpoint.h"

namespace laconic {
namespace {

constexpr std::array<std::pair<std::string_view, std::string_view>, 3> kTopNames{{
    {kEmbeddingName, "token_embd.weight"},
    {"model.norm.weight", "output_norm.weight"},
    {"lm_head.weight", "output.weight"},
}};

// Names inside a layer, without ".weight" or ".bias".
constexpr std::array<std::pair<std::string_view, std::string_view>, 11> kLayerNames{{
    {"input_layernorm", "attn_norm"},
    {"self_attn.q_proj", "attn_q"},
    {"self_attn.k_proj", "attn_k"},
    {"self_attn.v_proj", "attn_v"},
    {"self_attn.o_proj", "attn_output"},
    {"self_attn.q_norm", "attn_q_norm"},
    {"self_attn.k_norm", "attn_k_norm"},
    {"post_attention_layernorm", "ffn_norm"},
    {"mlp.gate_proj", "ffn_gate"},
    {"mlp.up_proj", "ffn_up"},
    {"mlp.down_proj", "ffn_down"},
}};

constexpr std::string_view kLayerPrefix = "model.layers.";

}  // namespace

std::vector<TensorSpec> decoder_tensors(const ModelConfig& config) {
  std::vector<TensorSpec> specs;
  const std::size_t q_rows = config.heads * config.head_dim;
  const std::size_t kv_rows = config.kv_heads * config.head_dim;
  specs.push_back({kEmbeddingName, {config.vocab, config.hidden}});
  for (std::size_t layer = 0; layer < config.layers; ++layer) {
    const auto add = [&](const char* name, std::vector<std::size_t> shape) {
      specs.push_back({fmt::format("{}{}.{}", kLayerPrefix, layer, name), std::move(shape)});
    };
    add("input_layernorm.weight", {config.hidden});
    add("self_attn.q_proj.weight", {q_rows, config.hidden});
    add("self_attn.k_proj.weight", {kv_rows, config.hidden});
    add("self_attn.v_proj.weight", {kv_rows, config.hidden});
    add("self_attn.o_proj.weight", {config.hidden, q_rows});
    if (config.qkv_bias) {
      add("self_attn.q_proj.bias", {q_rows});
      add("self_attn.k_proj.bias", {kv_rows});
      add("self_attn.v_proj.bias", {kv_rows});
    }
    if (config.o_bias) add("self_attn.o_proj.bias", {config.hidden});
    if (config.qk_norm) {
      add("self_attn.q_norm.weight", {config.head_dim});
      add("self_attn.k_norm.weight", {config.head_dim});
    }
    add("post_attention_layernorm.weight", {config.hidden});
    add("mlp.gate_proj.weight", {config.intermediate, config.hidden});
    add("mlp.up_proj.weight", {config.intermediate, config.hidden});
    add("mlp.down_proj.weight", {config.hidden, config.intermediate});
  }
  specs.push_back({"model.norm.weight", {config.hidden}});
  if (!config.tied_head) specs.push_back({"lm_head.weight", {config.vocab, config.hidden}});
  return specs;
}

std::string gguf_tensor_name(std::string_view hf_name) {
  for (const auto& [hf, gguf] : kTopNames) {
    if (hf_name == hf) return std::string(gguf);
  }
  std::string_view rest = hf_name;
  if (rest.substr(0, kLayerPrefix.size()) == kLayerPrefix) {
    rest.remove_prefix(kLayerPrefix.size());
    const std::size_t dot = rest.find('.');
    const std::size_t end = rest.rfind('.');
    if (dot != std::string_view::npos && end > dot) {
      const std::string_view middle = rest.substr(dot + 1, end - dot - 1);
      for (const auto& [hf, gguf] : kLayerNames) {
        if (middle == hf) {
          return fmt::format("blk.{}.{}{}", rest.substr(0, dot), gguf, rest.substr(end));
        }
      }
    }
  }
  throw_input("the tensor {} has no name in GGUF", hf_name);
}

}  // namespace laconic
