// SPDX-License-Identifier: Apache-2.0
// config.json of a Hugging Face directory <-> ModelConfig. Defaults of absent fields are those of
// the transformers classes.
#include <cmath>
#include <limits>
#include <string>

#include "model/config.h"
#include "model/config_check.h"
#include "model/rope_hf.h"

namespace laconic {
namespace {

std::size_t size_field(const Json& config, const char* key, SizeRange range,
                       std::string_view where) {
  return in_range(json_required<std::size_t>(config, key, where), range, key, where);
}

std::size_t size_field_or(const Json& config, const char* key, std::size_t otherwise,
                          SizeRange range, std::string_view where) {
  return in_range(json_optional<std::size_t>(config, key, where).value_or(otherwise), range, key,
                  where);
}

bool flag(const Json& config, const char* key, std::string_view where) {
  return json_optional<bool>(config, key, where).value_or(false);
}

std::string_view class_name(Architecture architecture) {
  switch (architecture) {
    case Architecture::kLlama:
      return "LlamaForCausalLM";
    case Architecture::kQwen2:
      return "Qwen2ForCausalLM";
    case Architecture::kQwen3:
      return "Qwen3ForCausalLM";
  }
  return "?";
}

Architecture read_architecture(const Json& config, std::string_view where) {
  const auto type = json_required<std::string>(config, "model_type", where);
  const Architecture architecture = architecture_from_name(type, where);
  const auto classes = config.find("architectures");
  if (classes == config.end() || classes->is_null()) return architecture;
  if (!classes->is_array()) throw_input("{}: \"architectures\" must be a list", where);
  for (const Json& one : *classes) {
    if (!one.is_string() || one.get_ref<const std::string&>() != class_name(architecture)) {
      throw_input("{}: \"architectures\" names {}, only {} is supported for model type {}", where,
                  one.dump(-1, ' ', true, Json::error_handler_t::replace), class_name(architecture),
                  type);
    }
  }
  return architecture;
}

// What would change the arithmetic and is not implemented must not be ignored.
void refuse_unsupported(const Json& config, std::string_view where) {
  const auto quantization = config.find("quantization_config");
  if (quantization != config.end() && !quantization->is_null()) {
    std::string method = "unnamed";
    if (quantization->is_object()) {
      method = json_optional<std::string>(*quantization, "quant_method", where).value_or("unnamed");
    }
    throw_input(
        "{}: weights quantised by \"{}\" are not supported (f32, f16 and bf16 are, and GGUF files "
        "with q8_0 or q4_0)",
        where, method);
  }
  if (flag(config, "mlp_bias", where)) {
    throw_input("{}: \"mlp_bias\" is not supported", where);
  }
  const auto activation = json_optional<std::string>(config, "hidden_act", where);
  if (activation && *activation != "silu") {
    throw_input("{}: \"hidden_act\" is \"{}\", only \"silu\" is supported", where, *activation);
  }
}

// A window counts only where a layer really slides: published configs carry numbers that are
// switched off, start beyond the last layer, or span the whole context.
void refuse_sliding_window(const Json& config, const ModelConfig& model, std::string_view where) {
  const auto types = config.find("layer_types");
  const bool has_types = types != config.end() && !types->is_null();
  if (has_types) {
    if (!types->is_array()) throw_input("{}: \"layer_types\" must be a list", where);
    for (const Json& type : *types) {
      if (type != "full_attention") {
        throw_input("{}: \"layer_types\" holds {}, only \"full_attention\" is supported", where,
                    type.dump(-1, ' ', true, Json::error_handler_t::replace));
      }
    }
  }
  if (has_types || !flag(config, "use_sliding_window", where)) return;
  const auto window = json_optional<std::size_t>(config, "sliding_window", where);
  const auto first = json_optional<std::size_t>(config, "max_window_layers", where);
  if (!window || *window >= model.context || first.value_or(0) >= model.layers) return;
  throw_input("{}: a sliding window of {} tokens is switched on, which is not supported", where,
              *window);
}

std::int32_t token_id(const Json& value, const char* key, std::string_view where) {
  if (!value.is_number_integer()) throw_input("{}: \"{}\" must be a token id", where, key);
  const bool huge = value.is_number_unsigned() &&
                    value.get<std::uint64_t>() > std::numeric_limits<std::int32_t>::max();
  if (huge || value.get<std::int64_t>() < -1) {
    throw_input("{}: \"{}\" is {}, which is no token id", where, key, value.dump());
  }
  return static_cast<std::int32_t>(value.get<std::int64_t>());
}

std::vector<std::int32_t> token_ids(const Json& config, const char* key, std::string_view where) {
  const auto found = config.find(key);
  std::vector<std::int32_t> ids;
  if (found == config.end() || found->is_null()) return ids;
  const auto add = [&](const Json& value) {
    if (const std::int32_t id = token_id(value, key, where); id >= 0) ids.push_back(id);
  };
  if (found->is_array()) {
    for (const Json& value : *found) add(value);
  } else {
    add(*found);
  }
  return ids;
}

void read_biases(const Json& config, ModelConfig& model, std::string_view where) {
  if (model.architecture == Architecture::kQwen2) {
    model.qkv_bias = true;  // the class has them whatever the file says
  } else {
    model.qkv_bias = model.o_bias = flag(config, "attention_bias", where);
  }
}

}  // namespace

ModelConfig config_from_hf(const Json& config, std::string_view where) {
  if (!config.is_object()) throw_input("{}: an object is expected", where);
  ModelConfig model;
  model.architecture = read_architecture(config, where);
  refuse_unsupported(config, where);
  model.layers = size_field(config, "num_hidden_layers", kLayerRange, where);
  model.hidden = size_field(config, "hidden_size", kHiddenRange, where);
  model.intermediate = size_field(config, "intermediate_size", kIntermediateRange, where);
  model.vocab = size_field(config, "vocab_size", kVocabRange, where);
  model.heads = size_field(config, "num_attention_heads", kHeadRange, where);
  model.kv_heads = size_field_or(config, "num_key_value_heads", model.heads, kHeadRange, where);
  if (const auto dim = json_optional<std::size_t>(config, "head_dim", where)) {
    model.head_dim = in_range(*dim, kHeadDimRange, "head_dim", where);
  } else if (model.architecture == Architecture::kQwen3) {
    model.head_dim = 128;  // this class has a default of its own
  } else {
    model.head_dim = default_head_dim(model.hidden, model.heads, where);
  }
  const std::size_t class_context = model.architecture == Architecture::kLlama ? 2048 : 32768;
  model.context =
      size_field_or(config, "max_position_embeddings", class_context, kContextRange, where);
  model.rope = rope_from_hf(config, model.context, where);
  model.context = stretched_context(model.rope, model.context, where);
  refuse_sliding_window(config, model, where);
  model.norm_eps =
      static_cast<float>(json_optional<double>(config, "rms_norm_eps", where).value_or(1e-6));
  read_biases(config, model, where);
  model.qk_norm = model.architecture == Architecture::kQwen3;
  model.tied_head = flag(config, "tie_word_embeddings", where);
  model.eos = token_ids(config, "eos_token_id", where);
  const auto bos = token_ids(config, "bos_token_id", where);
  if (!bos.empty()) model.bos = bos.front();
  model.name = json_optional<std::string>(config, "_name_or_path", where).value_or("");
  check_config(model, where);
  return model;
}

Json config_to_hf(const ModelConfig& model, DType type) {
  Json config = {
      {"architectures", {std::string(class_name(model.architecture))}},
      {"model_type", std::string(architecture_name(model.architecture))},
      {"hidden_size", model.hidden},
      {"intermediate_size", model.intermediate},
      {"num_hidden_layers", model.layers},
      {"num_attention_heads", model.heads},
      {"num_key_value_heads", model.kv_heads},
      {"head_dim", model.head_dim},
      {"vocab_size", model.vocab},
      {"max_position_embeddings", model.context},
      {"hidden_act", "silu"},
      {"rms_norm_eps", std::stod(fmt::format("{}", model.norm_eps))},  // 1e-06, not its f32 tail
      {"tie_word_embeddings", model.tied_head},
      {"rope_theta", model.rope.theta},
      {"rope_scaling", rope_scaling_to_hf(model.rope)},
      {"torch_dtype", type == DType::kF32   ? "float32"
                      : type == DType::kF16 ? "float16"
                                            : "bfloat16"},
  };
  if (model.architecture != Architecture::kQwen2) config["attention_bias"] = model.qkv_bias;
  if (model.architecture != Architecture::kLlama) config["use_sliding_window"] = false;
  if (model.bos >= 0) config["bos_token_id"] = model.bos;
  if (model.eos.size() == 1) config["eos_token_id"] = model.eos.front();
  if (model.eos.size() > 1) config["eos_token_id"] = model.eos;
  if (!model.name.empty()) config["_name_or_path"] = model.name;
  return config;
}

}  // namespace laconic
