// SPDX-License-Identifier: Apache-2.0
// GGUF metadata <-> ModelConfig, under llama.cpp's key names ("qwen3.attention.head_count").
#include <cmath>
#include <limits>
#include <optional>
#include <string>

#include "base/error.h"
#include "model/config.h"
#include "model/config_check.h"

namespace laconic {
namespace {

using Scaling = RopeConfig::Scaling;

// Look-ups below one architecture's prefix.
class Keys {
 public:
  Keys(const GgufMetadata& metadata, std::string prefix, std::string_view where)
      : metadata_(metadata), prefix_(std::move(prefix)), where_(where) {}

  std::string name(std::string_view key) const { return prefix_ + "." + std::string(key); }

  std::optional<std::size_t> maybe_size(std::string_view key) const {
    return gguf_uint(metadata_, name(key));
  }
  std::size_t size(std::string_view key, SizeRange range) const {
    const auto value = maybe_size(key);
    if (!value) throw_input("{}: the key {} is missing", where_, name(key));
    return in_range(*value, range, name(key), where_);
  }
  std::size_t size_or(std::string_view key, std::size_t otherwise, SizeRange range) const {
    return in_range(maybe_size(key).value_or(otherwise), range, name(key), where_);
  }
  std::optional<double> maybe_number(std::string_view key) const {
    return gguf_float(metadata_, name(key));
  }
  double number_or(std::string_view key, double otherwise) const {
    return maybe_number(key).value_or(otherwise);
  }
  std::optional<std::string> text(std::string_view key) const {
    return gguf_string(metadata_, name(key));
  }
  std::string_view where() const { return where_; }

 private:
  const GgufMetadata& metadata_;
  std::string prefix_;
  std::string_view where_;
};

// YaRN's factor on cos and sin when the file gives none.
double derived_attention_factor(double factor) {
  return factor > 1.0 ? 0.1 * std::log(factor) + 1.0 : 1.0;
}

void read_yarn(const Keys& keys, RopeConfig& rope, std::size_t context) {
  rope.original_context = static_cast<double>(
      keys.size_or("rope.scaling.original_context_length", context, kContextRange));
  rope.beta_fast = keys.number_or("rope.scaling.yarn_beta_fast", 32.0);
  rope.beta_slow = keys.number_or("rope.scaling.yarn_beta_slow", 1.0);
  for (const char* key : {"rope.scaling.yarn_ext_factor", "rope.scaling.yarn_attn_factor"}) {
    if (const double value = keys.number_or(key, 1.0); value != 1.0) {
      throw_input("{}: {} is {}, only 1 is supported", keys.where(), keys.name(key), value);
    }
  }
  // llama.cpp's factor multiplies the derived one; a config's own replaces it.
  const double extra = keys.number_or("rope.scaling.attn_factor", 1.0);
  if (extra != 1.0) rope.attention_factor = extra * derived_attention_factor(rope.factor);
}

RopeConfig read_rope(const Keys& keys, std::size_t context) {
  RopeConfig rope;
  rope.theta = keys.number_or("rope.freq_base", 10000.0);
  auto factor = keys.maybe_number("rope.scaling.factor");
  if (!factor) factor = keys.maybe_number("rope.scale_linear");
  rope.factor = factor.value_or(1.0);
  if (rope.factor == 0.0) rope.factor = 1.0;  // llama.cpp reads 0 as none
  const std::string type = keys.text("rope.scaling.type").value_or("linear");
  if (type == "none") {
    rope.factor = 1.0;
  } else if (type == "linear") {
    if (rope.factor != 1.0) rope.scaling = Scaling::kLinear;
  } else if (type == "yarn") {
    rope.scaling = Scaling::kYarn;
    read_yarn(keys, rope, context);
  } else {
    throw_input("{}: RoPE scaling \"{}\" is not supported (none, linear and yarn are)",
                keys.where(), type);
  }
  return rope;
}

void refuse_unsupported(const Keys& keys, std::size_t context) {
  if (const auto experts = keys.maybe_size("expert_count"); experts.value_or(0) > 0) {
    throw_input("{}: mixtures of {} experts are not supported", keys.where(), *experts);
  }
  const std::size_t window = keys.maybe_size("attention.sliding_window").value_or(0);
  if (window > 0 && window < context) {
    throw_input("{}: a sliding window of {} tokens is not supported", keys.where(), window);
  }
}

std::int32_t token_id(const GgufMetadata& metadata, const char* key, std::string_view where) {
  const auto id = gguf_uint(metadata, key);
  if (!id || *id == std::numeric_limits<std::uint32_t>::max()) return -1;
  if (*id > static_cast<std::uint64_t>(std::numeric_limits<std::int32_t>::max())) {
    throw_input("{}: {} is {}, which is no token id", where, key, *id);
  }
  return static_cast<std::int32_t>(*id);
}

std::size_t read_vocab(const GgufMetadata& metadata, const Keys& keys) {
  if (const auto* tokens = gguf_strings(metadata, "tokenizer.ggml.tokens"); tokens != nullptr) {
    return in_range(tokens->size(), kVocabRange, "the number of tokens", keys.where());
  }
  return keys.size("vocab_size", kVocabRange);
}

}  // namespace

ModelConfig config_from_gguf(const GgufMetadata& metadata, std::string_view where) {
  const auto name = gguf_string(metadata, "general.architecture");
  if (!name) throw_input("{}: the key general.architecture is missing", where);
  ModelConfig model;
  model.architecture = architecture_from_name(*name, where);
  const Keys keys(metadata, *name, where);
  model.layers = keys.size("block_count", kLayerRange);
  model.hidden = keys.size("embedding_length", kHiddenRange);
  model.intermediate = keys.size("feed_forward_length", kIntermediateRange);
  model.heads = keys.size("attention.head_count", kHeadRange);
  model.kv_heads = keys.size_or("attention.head_count_kv", model.heads, kHeadRange);
  const auto key_length = keys.maybe_size("attention.key_length");
  model.head_dim =
      in_range(key_length ? *key_length : default_head_dim(model.hidden, model.heads, where),
               kHeadDimRange, "the length of a key", where);
  for (const char* same : {"attention.value_length", "rope.dimension_count"}) {
    if (const auto other = keys.maybe_size(same);
        other.value_or(model.head_dim) != model.head_dim) {
      throw_input("{}: {} is {}, but must equal the {} elements of a key", where, keys.name(same),
                  *other, model.head_dim);
    }
  }
  model.context = keys.size("context_length", kContextRange);
  model.rope = read_rope(keys, model.context);
  model.context = stretched_context(model.rope, model.context, where);
  refuse_unsupported(keys, model.context);
  model.vocab = read_vocab(metadata, keys);
  const auto epsilon = keys.maybe_number("attention.layer_norm_rms_epsilon");
  if (!epsilon) {
    throw_input("{}: the key {} is missing", where, keys.name("attention.layer_norm_rms_epsilon"));
  }
  model.norm_eps = static_cast<float>(*epsilon);
  model.qkv_bias = model.architecture == Architecture::kQwen2;
  model.qk_norm = model.architecture == Architecture::kQwen3;
  for (const char* key : {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id"}) {
    const std::int32_t id = token_id(metadata, key, where);
    if (id >= 0 && (model.eos.empty() || model.eos.front() != id)) model.eos.push_back(id);
  }
  model.bos = token_id(metadata, "tokenizer.ggml.bos_token_id", where);
  model.name = gguf_string(metadata, "general.name").value_or("");
  check_config(model, where);
  return model;
}

GgufMetadata config_to_gguf(const ModelConfig& model) {
  const std::string prefix(architecture_name(model.architecture));
  GgufMetadata out;
  const auto put_size = [&](const char* key, std::size_t value) {
    out[prefix + "." + key] = std::uint64_t{value};
  };
  const auto put_number = [&](const char* key, double value) { out[prefix + "." + key] = value; };
  out["general.architecture"] = prefix;
  if (!model.name.empty()) out["general.name"] = model.name;
  put_size("block_count", model.layers);
  put_size("context_length", model.context);
  put_size("embedding_length", model.hidden);
  put_size("feed_forward_length", model.intermediate);
  put_size("vocab_size", model.vocab);
  put_size("attention.head_count", model.heads);
  put_size("attention.head_count_kv", model.kv_heads);
  put_size("attention.key_length", model.head_dim);
  put_size("attention.value_length", model.head_dim);
  put_size("rope.dimension_count", model.head_dim);
  put_number("attention.layer_norm_rms_epsilon", static_cast<double>(model.norm_eps));
  put_number("rope.freq_base", model.rope.theta);
  const RopeConfig& rope = model.rope;
  const bool yarn = rope.scaling == Scaling::kYarn;
  // llama3 scaling has no keys: it travels as a tensor of frequency divisors.
  if (yarn || rope.scaling == Scaling::kLinear) {
    out[prefix + ".rope.scaling.type"] = std::string(yarn ? "yarn" : "linear");
    put_number("rope.scaling.factor", rope.factor);
  }
  if (yarn) {
    put_size("rope.scaling.original_context_length",
             static_cast<std::size_t>(rope.original_context));
    if (rope.beta_fast != 32.0) put_number("rope.scaling.yarn_beta_fast", rope.beta_fast);
    if (rope.beta_slow != 1.0) put_number("rope.scaling.yarn_beta_slow", rope.beta_slow);
    if (rope.attention_factor > 0.0) {
      put_number("rope.scaling.attn_factor",
                 rope.attention_factor / derived_attention_factor(rope.factor));
    }
  }
  return out;
}

}  // namespace laconic
