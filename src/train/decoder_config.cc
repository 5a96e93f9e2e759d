// SPDX-License-Identifier: Apache-2.0
// DecoderConfig <-> config.json of the transformers classes. What would change the arithmetic and
// has no gradient here is refused by name.
#include <cmath>
#include <limits>
#include <map>

#include "train/decoder.h"

namespace laconic::train {
namespace {

// Far above any published model, low enough that products of three sizes fit in 64 bits.
constexpr std::int64_t kMostLayers = 1024, kMostHeads = 4096;
constexpr std::int64_t kMostHeadDim = 512;  // twice the widest head of a published model
constexpr std::int64_t kMostWidth = std::int64_t{1} << 20, kMostVocab = std::int64_t{1} << 22;
constexpr std::int64_t kMostContext = std::int64_t{1} << 28;

const std::map<std::string, std::string, std::less<>>& class_names() {
  static const std::map<std::string, std::string, std::less<>> names{
      {"llama", "LlamaForCausalLM"},
      {"qwen2", "Qwen2ForCausalLM"},
      {"qwen3", "Qwen3ForCausalLM"},
  };
  return names;
}

std::int64_t in_range(std::int64_t value, std::int64_t most, const char* key,
                      std::string_view where) {
  if (value >= 1 && value <= most) return value;
  throw_input("{}: \"{}\" is {}, allowed are 1 to {}", where, key, value, most);
}

std::int64_t size_field(const Json& config, const char* key, std::int64_t most,
                        std::string_view where) {
  return in_range(json_required<std::int64_t>(config, key, where), most, key, where);
}

std::int64_t size_field_or(const Json& config, const char* key, std::int64_t otherwise,
                           std::int64_t most, std::string_view where) {
  return in_range(json_optional<std::int64_t>(config, key, where).value_or(otherwise), most, key,
                  where);
}

void refuse_flag(const Json& config, const char* key, std::string_view where) {
  if (json_optional<bool>(config, key, where).value_or(false)) {
    throw_input("{}: \"{}\" is true, which training does not support", where, key);
  }
}

void refuse_unsupported(const Json& config, const DecoderConfig& decoder, std::string_view where) {
  // Qwen2 has biases whatever the file says; the other two have them on every projection or on
  // none.
  if (!decoder.qkv_bias()) refuse_flag(config, "attention_bias", where);
  refuse_flag(config, "mlp_bias", where);
  refuse_flag(config, "use_sliding_window", where);
  const auto activation = json_optional<std::string>(config, "hidden_act", where);
  if (activation && *activation != "silu") {
    throw_input("{}: \"hidden_act\" is \"{}\", training supports only \"silu\"", where,
                *activation);
  }
  const auto quantized = config.find("quantization_config");
  if (quantized != config.end() && !quantized->is_null()) {
    throw_input("{}: quantised weights cannot be trained (f32, f16 and bf16 can)", where);
  }
  const double part = json_optional<double>(config, "partial_rotary_factor", where).value_or(1.0);
  if (part != 1.0) {
    throw_input("{}: \"partial_rotary_factor\" is {}, training supports only 1", where, part);
  }
}

// The base, from "rope_theta" or from the newer spelling "rope_parameters".
double read_rope(const Json& config, std::string_view where) {
  double theta = json_optional<double>(config, "rope_theta", where).value_or(10000.0);
  for (const char* key : {"rope_scaling", "rope_parameters"}) {
    const auto found = config.find(key);
    if (found == config.end() || found->is_null()) continue;
    if (!found->is_object()) throw_input("{}: \"{}\" must be an object", where, key);
    theta = json_optional<double>(*found, "rope_theta", where).value_or(theta);
    auto kind = json_optional<std::string>(*found, "rope_type", where);
    if (!kind) kind = json_optional<std::string>(*found, "type", where);
    if (kind && *kind != "default" && *kind != "none") {
      throw_input("{}: \"{}\" asks for \"{}\", training supports only unscaled RoPE", where, key,
                  *kind);
    }
    if (!kind && found->contains("factor")) {
      throw_input("{}: \"{}\" has a factor, training supports only unscaled RoPE", where, key);
    }
  }
  if (!std::isfinite(theta) || theta < 1.0) {
    throw_input("{}: \"rope_theta\" is {}, it must be at least 1", where, theta);
  }
  return theta;
}

std::int64_t token_id(const Json& value, const char* key, std::int64_t vocab,
                      std::string_view where) {
  if (!value.is_number_integer() || value.get<std::int64_t>() < 0 ||
      value.get<std::int64_t>() >= vocab) {
    throw_input("{}: \"{}\" is {}, which is no token id of a vocabulary of {}", where, key,
                value.dump(-1, ' ', true, Json::error_handler_t::replace), vocab);
  }
  return value.get<std::int64_t>();
}

std::vector<std::int64_t> token_ids(const Json& config, const char* key, std::int64_t vocab,
                                    std::string_view where) {
  std::vector<std::int64_t> ids;
  const auto found = config.find(key);
  if (found == config.end() || found->is_null()) return ids;
  if (!found->is_array()) return {token_id(*found, key, vocab, where)};
  for (const Json& value : *found) ids.push_back(token_id(value, key, vocab, where));
  return ids;
}

void check_heads(const DecoderConfig& decoder, std::string_view where) {
  if (decoder.heads % decoder.kv_heads != 0) {
    throw_input("{}: \"num_attention_heads\" is {}, no multiple of \"num_key_value_heads\" {}",
                where, decoder.heads, decoder.kv_heads);
  }
  if (decoder.head_dim % 2 != 0) {
    throw_input("{}: \"head_dim\" is {}, it must be even", where, decoder.head_dim);
  }
}

std::int64_t default_head_dim(const DecoderConfig& decoder, std::string_view where) {
  if (decoder.qk_norm()) return 128;  // this class has a default of its own
  if (decoder.hidden % decoder.heads != 0) {
    throw_input(
        "{}: \"hidden_size\" is {}, no multiple of \"num_attention_heads\" {}, and "
        "\"head_dim\" is missing",
        where, decoder.hidden, decoder.heads);
  }
  return decoder.hidden / decoder.heads;
}

}  // namespace

DecoderConfig DecoderConfig::from_json(const Json& config, std::string_view where) {
  DecoderConfig decoder;
  decoder.architecture = json_required<std::string>(config, "model_type", where);
  if (class_names().count(decoder.architecture) == 0) {
    throw_input("{}: \"model_type\" is \"{}\", training supports llama, qwen2 and qwen3", where,
                decoder.architecture);
  }
  refuse_unsupported(config, decoder, where);
  decoder.layers = size_field(config, "num_hidden_layers", kMostLayers, where);
  decoder.hidden = size_field(config, "hidden_size", kMostWidth, where);
  decoder.intermediate = size_field(config, "intermediate_size", kMostWidth, where);
  decoder.vocab = size_field(config, "vocab_size", kMostVocab, where);
  decoder.heads = size_field(config, "num_attention_heads", kMostHeads, where);
  decoder.kv_heads = size_field_or(config, "num_key_value_heads", decoder.heads, kMostHeads, where);
  const auto head_dim = json_optional<std::int64_t>(config, "head_dim", where);
  decoder.head_dim = in_range(head_dim ? *head_dim : default_head_dim(decoder, where), kMostHeadDim,
                              "head_dim", where);
  const std::int64_t class_context = decoder.architecture == "llama" ? 2048 : 32768;
  decoder.context =
      size_field_or(config, "max_position_embeddings", class_context, kMostContext, where);
  decoder.rope_theta = read_rope(config, where);
  decoder.norm_epsilon = json_optional<double>(config, "rms_norm_eps", where).value_or(1e-6);
  if (!std::isfinite(decoder.norm_epsilon) || decoder.norm_epsilon <= 0.0) {
    throw_input("{}: \"rms_norm_eps\" is {}, it must be above 0", where, decoder.norm_epsilon);
  }
  decoder.tied = json_optional<bool>(config, "tie_word_embeddings", where).value_or(false);
  decoder.eos = token_ids(config, "eos_token_id", decoder.vocab, where);
  const auto bos = token_ids(config, "bos_token_id", decoder.vocab, where);
  if (!bos.empty()) decoder.bos = bos.front();
  check_heads(decoder, where);
  return decoder;
}

Json DecoderConfig::to_json() const {
  Json config = {
      {"architectures", {class_names().at(architecture)}},
      {"model_type", architecture},
      {"hidden_size", hidden},
      {"intermediate_size", intermediate},
      {"num_hidden_layers", layers},
      {"num_attention_heads", heads},
      {"num_key_value_heads", kv_heads},
      {"head_dim", head_dim},
      {"vocab_size", vocab},
      {"max_position_embeddings", context},
      {"hidden_act", "silu"},
      {"initializer_range", 0.02},
      {"rms_norm_eps", norm_epsilon},
      {"tie_word_embeddings", tied},
      {"rope_theta", rope_theta},
      {"rope_scaling", nullptr},
      {"attention_dropout", 0.0},
      {"use_cache", true},
  };
  if (!qkv_bias()) config["attention_bias"] = false;
  if (architecture == "llama") {
    config["mlp_bias"] = false;
  } else {
    config["use_sliding_window"] = false;
  }
  if (bos >= 0) config["bos_token_id"] = bos;
  if (eos.size() == 1) config["eos_token_id"] = eos.front();
  if (eos.size() > 1) config["eos_token_id"] = eos;
  return config;
}

}  // namespace laconic::train
