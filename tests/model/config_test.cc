// SPDX-License-Identifier: Apache-2.0
#include "model/config.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "checkpoint_files.h"
#include "expect_error.h"
#include "model/convert.h"
#include "test_paths.h"

namespace laconic {
namespace {

using test::expect_error;
using Scaling = RopeConfig::Scaling;

Json qwen2_config() {
  return Json::parse(R"({
    "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "hidden_size": 1536,
    "intermediate_size": 8960, "num_attention_heads": 12, "num_hidden_layers": 28,
    "num_key_value_heads": 2, "vocab_size": 151936, "max_position_embeddings": 131072,
    "max_window_layers": 21, "sliding_window": 4096, "use_sliding_window": false,
    "hidden_act": "silu", "rms_norm_eps": 1e-06, "rope_theta": 10000, "bos_token_id": 151643,
    "eos_token_id": 151643, "tie_word_embeddings": false, "torch_dtype": "bfloat16",
    "attention_dropout": 0.0, "use_mrope": false, "use_cache": true})");
}

Json llama_config() {
  return Json::parse(R"({
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 4096,
    "intermediate_size": 14336, "num_attention_heads": 32, "num_hidden_layers": 32,
    "num_key_value_heads": 8, "vocab_size": 128256, "max_position_embeddings": 131072,
    "rms_norm_eps": 1e-05, "rope_theta": 500000.0, "attention_bias": false, "mlp_bias": false,
    "bos_token_id": 128000, "eos_token_id": [128001, 128008, 128009],
    "rope_scaling": {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                     "original_max_position_embeddings": 8192, "rope_type": "llama3"}})");
}

ModelConfig read(const Json& config) { return config_from_hf(config, "config.json"); }

void refused(const Json& config, const std::string& part) {
  expect_error(ErrorKind::kInput, part, [&] { read(config); });
}

TEST(ConfigHf, ReadsADistilledQwen2) {
  const ModelConfig c = read(qwen2_config());
  EXPECT_EQ(c.architecture, Architecture::kQwen2);
  EXPECT_EQ(c.layers, 28u);
  EXPECT_EQ(c.head_dim, 128u);
  EXPECT_EQ(c.kv_heads, 2u);
  EXPECT_EQ(c.context, 131072u);
  EXPECT_TRUE(c.qkv_bias);
  EXPECT_FALSE(c.o_bias);
  EXPECT_FALSE(c.qk_norm);
  EXPECT_FALSE(c.tied_head);
  EXPECT_EQ(c.eos, std::vector<std::int32_t>{151643});
  EXPECT_EQ(c.kv_bytes_per_token(DType::kF16), 2u * 28 * 2 * 128 * 2);
}

TEST(ConfigHf, ReadsALlama3) {
  const ModelConfig c = read(llama_config());
  EXPECT_EQ(c.rope.scaling, Scaling::kLlama3);
  EXPECT_EQ(c.rope.original_context, 8192);
  EXPECT_EQ(c.eos, (std::vector<std::int32_t>{128001, 128008, 128009}));
  EXPECT_EQ(c.bos, 128000);
  EXPECT_FALSE(c.qkv_bias);
}

TEST(ConfigHf, OldAndNewRopeSpellingsAgree) {
  Json fresh = llama_config();
  fresh["rope_parameters"] = fresh["rope_scaling"];
  fresh["rope_parameters"]["rope_theta"] = fresh["rope_theta"];
  fresh.erase("rope_scaling");
  fresh.erase("rope_theta");
  fresh["dtype"] = "bfloat16";
  const RopeConfig before = read(llama_config()).rope, after = read(fresh).rope;
  EXPECT_EQ(after.theta, 500000.0);
  EXPECT_EQ(after.scaling, before.scaling);
  EXPECT_EQ(rope_table(after, 128).inverse_frequency, rope_table(before, 128).inverse_frequency);

  Json plain = qwen2_config();
  plain["rope_parameters"] = {{"rope_theta", 77.0}, {"rope_type", "default"}};
  plain["rope_scaling"] = nullptr;
  EXPECT_EQ(read(plain).rope.theta, 77.0);
  EXPECT_EQ(read(plain).rope.scaling, Scaling::kNone);
}

TEST(ConfigHf, DefaultsAreThoseOfTheClasses) {
  Json config = llama_config();
  for (const char* key : {"num_key_value_heads", "architectures", "rope_scaling", "rope_theta",
                          "eos_token_id", "bos_token_id", "max_position_embeddings"}) {
    config.erase(key);
  }
  config["head_dim"] = nullptr;
  const ModelConfig c = read(config);
  EXPECT_EQ(c.kv_heads, 32u);
  EXPECT_EQ(c.head_dim, 128u);
  EXPECT_EQ(c.rope.theta, 10000.0);
  EXPECT_EQ(c.context, 2048u);
  EXPECT_TRUE(c.eos.empty());
  EXPECT_EQ(c.bos, -1);
  EXPECT_FALSE(c.tied_head);
}

TEST(ConfigHf, AttentionBiasReachesTheOutputOfLlamaAndQwen3Only) {
  Json llama = llama_config();
  llama["attention_bias"] = true;
  EXPECT_TRUE(read(llama).qkv_bias);
  EXPECT_TRUE(read(llama).o_bias);
  Json qwen2 = qwen2_config();
  qwen2["attention_bias"] = true;
  EXPECT_FALSE(read(qwen2).o_bias);
}

TEST(ConfigHf, SlidingWindowsCountOnlyWhereALayerSlides) {
  Json config = qwen2_config();
  config["use_sliding_window"] = true;
  refused(config, "sliding window of 4096");
  config["max_window_layers"] = 28;  // starts beyond the last layer
  EXPECT_NO_THROW(read(config));
  config["max_window_layers"] = 21;
  config["sliding_window"] = nullptr;
  EXPECT_NO_THROW(read(config));
  config["sliding_window"] = 131072;  // the whole context
  EXPECT_NO_THROW(read(config));
  config["layer_types"] = {"full_attention", "sliding_attention"};
  refused(config, "sliding_attention");
}

TEST(ConfigHf, YarnFactorsFollowTransformers) {
  Json config = qwen2_config();
  config["rope_scaling"] = {
      {"type", "yarn"}, {"factor", 4.0}, {"original_max_position_embeddings", 32768}};
  EXPECT_NEAR(rope_table(read(config).rope, 128).magnitude, 1.138629436111989, 1e-12);
  config["rope_scaling"]["attention_factor"] = 1.5;
  EXPECT_EQ(rope_table(read(config).rope, 128).magnitude, 1.5);
  config["rope_scaling"].erase("attention_factor");
  config["rope_scaling"]["mscale"] = 1.0;
  config["rope_scaling"]["mscale_all_dim"] = 1.0;
  EXPECT_NEAR(rope_table(read(config).rope, 128).magnitude, 1.0, 1e-12);
  config["rope_scaling"] = {{"rope_type", "yarn"}, {"original_max_position_embeddings", 32768}};
  EXPECT_EQ(read(config).rope.factor, 4.0);  // the ratio of the contexts
  config["rope_scaling"] = {{"rope_type", "yarn"}, {"factor", 2.0}, {"truncate", false}};
  refused(config, "truncate");
}

TEST(ConfigHf, BothRopeSpellingsMayStandTogetherWhenTheyAgree) {
  Json config = llama_config();
  config["rope_parameters"] = config["rope_scaling"];
  config["rope_parameters"]["rope_theta"] = config["rope_theta"];
  config.erase("rope_theta");
  config["rope_scaling"]["type"] = "llama3";  // the older name of the kind beside the newer
  EXPECT_EQ(read(config).rope, read(llama_config()).rope);
  config["rope_scaling"] = Json::object();
  EXPECT_EQ(read(config).rope, read(llama_config()).rope);
  config["rope_scaling"] = llama_config()["rope_scaling"];
  config["rope_scaling"]["factor"] = 4.0;
  refused(config, "different");
}

TEST(ConfigHf, ReadsThePublishedQwen3) {
  const auto path = test::shared_data() / "tokenizers/qwen3/config.json";
  LACONIC_NEEDS(path);
  const ModelConfig c = read(test::read_json(path));
  EXPECT_EQ(c.rope.theta, 1e6);
  EXPECT_EQ(c.rope.scaling, Scaling::kNone);
  EXPECT_EQ(c.context, 40960u);
}

TEST(ConfigHf, YarnReachesItsFactorTimesTheOriginalContext) {
  Json config = qwen2_config();  // the recipe of Qwen's model cards for long texts
  config["max_position_embeddings"] = 40960;
  config["rope_scaling"] = {
      {"rope_type", "yarn"}, {"factor", 4.0}, {"original_max_position_embeddings", 32768}};
  EXPECT_EQ(read(config).context, 131072u);
  const ModelConfig twin = config_from_gguf(config_to_gguf(read(config)), "x.gguf");
  EXPECT_EQ(twin.context, 131072u);
  config["max_position_embeddings"] = 200000;  // says more itself
  EXPECT_EQ(read(config).context, 200000u);
  config["rope_scaling"]["factor"] = 1e6;
  refused(config, "yarn's factor");
  config["rope_scaling"] = {{"rope_type", "linear"}, {"factor", 4.0}};
  EXPECT_EQ(read(config).context, 200000u);
}

TEST(ConfigHf, RefusesWhatItCannotRun) {
  const auto with = [](Json config, const char* key, Json value) {
    config[key] = std::move(value);
    return config;
  };
  refused(Json::array(), "object");
  refused(with(llama_config(), "model_type", "mixtral"), "llama, qwen2 and qwen3");
  refused(with(llama_config(), "architectures", {"Qwen3MoeForCausalLM"}), "Qwen3MoeForCausalLM");
  refused(with(llama_config(), "architectures", "LlamaForCausalLM"), "architectures");
  refused(with(llama_config(), "quantization_config", {{"quant_method", "gptq"}}), "gptq");
  refused(with(llama_config(), "hidden_act", "gelu"), "gelu");
  refused(with(llama_config(), "mlp_bias", true), "mlp_bias");
  refused(with(llama_config(), "partial_rotary_factor", 0.5), "partial_rotary_factor");
  refused(with(llama_config(), "rope_scaling", {{"type", "dynamic"}, {"factor", 2}}), "dynamic");
  refused(with(llama_config(), "rope_scaling", {{"rope_type", "longrope"}}), "longrope");
  refused(with(llama_config(), "rope_scaling", {{"rope_type", "linear"}}), "factor");
  refused(with(llama_config(), "rope_scaling", {{"factor", 2.0}}), "rope_type");
  refused(with(llama_config(), "rope_scaling", 3), "rope_scaling");
  refused(with(llama_config(), "rope_parameters", {{"rope_theta", 1e4}}), "different");
}

TEST(ConfigHf, RefusesSizesThatMakeNoSense) {
  const auto with = [](const char* key, Json value) {
    Json config = llama_config();
    config[key] = std::move(value);
    return config;
  };
  refused(with("num_hidden_layers", 0), "num_hidden_layers");
  refused(with("num_hidden_layers", -1), "num_hidden_layers");
  refused(with("num_hidden_layers", 1.5), "num_hidden_layers");
  refused(with("hidden_size", std::uint64_t{1} << 40), "hidden_size");
  refused(with("vocab_size", std::uint64_t{0xffffffffffffffff}), "vocab_size");
  refused(with("hidden_size", 4097), "multiple");
  refused(with("num_attention_heads", 0), "num_attention_heads");
  refused(with("num_key_value_heads", 5), "KV heads");
  refused(with("head_dim", 127), "even");
  refused(with("rms_norm_eps", -1.0), "epsilon");
  refused(with("rope_theta", 0.0), "theta");
  refused(with("eos_token_id", "x"), "eos_token_id");
  refused(with("eos_token_id", std::uint64_t{1} << 40), "eos_token_id");
  Json missing = llama_config();
  missing.erase("hidden_size");
  refused(missing, "\"hidden_size\" is missing");
}

TEST(ConfigHf, WritesWhatItReads) {
  for (const std::string& name : known_models()) {
    const ModelConfig c = known_model(name);
    const ModelConfig back = read(config_to_hf(c, DType::kBF16));
    EXPECT_EQ(config_to_hf(back, DType::kBF16), config_to_hf(c, DType::kBF16)) << name;
    EXPECT_EQ(back.norm_eps, c.norm_eps) << name;
  }
}

TEST(ConfigGguf, RoundTripsKnownModels) {
  for (const std::string& name : known_models()) {
    ModelConfig c = known_model(name);
    const ModelConfig back = config_from_gguf(config_to_gguf(c), "x.gguf");
    EXPECT_EQ(back.architecture, c.architecture);
    EXPECT_EQ(back.layers, c.layers);
    EXPECT_EQ(back.hidden, c.hidden);
    EXPECT_EQ(back.intermediate, c.intermediate);
    EXPECT_EQ(back.head_dim, c.head_dim);
    EXPECT_EQ(back.kv_heads, c.kv_heads);
    EXPECT_EQ(back.vocab, c.vocab);
    EXPECT_EQ(back.context, c.context);
    EXPECT_EQ(back.norm_eps, c.norm_eps);
    EXPECT_EQ(back.rope.theta, c.rope.theta);
    EXPECT_EQ(back.name, name);
  }
}

TEST(ConfigGguf, RoundTripsRopeScaling) {
  ModelConfig c = known_model("tiny");
  c.rope.scaling = Scaling::kLinear;
  c.rope.factor = 2.5;
  RopeConfig back = config_from_gguf(config_to_gguf(c), "x").rope;
  EXPECT_EQ(back.scaling, Scaling::kLinear);
  EXPECT_EQ(back.factor, 2.5);

  c.rope.scaling = Scaling::kYarn;
  c.rope.original_context = 64;
  for (const double attention : {0.0, 1.25}) {
    c.rope.attention_factor = attention;
    c.rope.beta_fast = 16;
    back = config_from_gguf(config_to_gguf(c), "x").rope;
    const RopeTable expected = rope_table(c.rope, 32), got = rope_table(back, 32);
    EXPECT_EQ(got.inverse_frequency, expected.inverse_frequency);
    EXPECT_NEAR(got.magnitude, expected.magnitude, 1e-12);
  }
}

TEST(ConfigGguf, YarnReachesItsFactorTimesTheOriginalContext) {
  GgufMetadata metadata = config_to_gguf(known_model("tiny"));
  metadata["qwen3.context_length"] = std::uint64_t{40960};
  metadata["qwen3.rope.scaling.type"] = std::string("yarn");
  metadata["qwen3.rope.scaling.factor"] = 4.0;
  metadata["qwen3.rope.scaling.original_context_length"] = std::uint64_t{32768};
  EXPECT_EQ(config_from_gguf(metadata, "x").context, 131072u);
}

TEST(ConfigGguf, RefusesWhatItCannotRun) {
  const GgufMetadata good = config_to_gguf(known_model("tiny"));
  const auto bad = [&](const char* key, GgufValue value, const char* part) {
    GgufMetadata metadata = good;
    metadata[key] = std::move(value);
    expect_error(ErrorKind::kInput, part, [&] { config_from_gguf(metadata, "x.gguf"); });
  };
  bad("general.architecture", std::string("gemma"), "gemma");
  bad("qwen3.attention.value_length", std::uint64_t{64}, "value_length");
  bad("qwen3.rope.dimension_count", std::uint64_t{16}, "dimension_count");
  bad("qwen3.rope.scaling.type", std::string("longrope"), "longrope");
  bad("qwen3.expert_count", std::uint64_t{8}, "experts");
  bad("qwen3.attention.sliding_window", std::uint64_t{128}, "sliding window");
  bad("qwen3.block_count", std::uint64_t{0}, "block_count");
  bad("qwen3.attention.head_count_kv", std::uint64_t{3}, "KV heads");
  bad("tokenizer.ggml.eos_token_id", std::uint64_t{1} << 31, "eos_token_id");
  for (const char* key : {"general.architecture", "qwen3.block_count", "qwen3.context_length",
                          "qwen3.attention.layer_norm_rms_epsilon"}) {
    GgufMetadata metadata = good;
    metadata.erase(key);
    expect_error(ErrorKind::kInput, key, [&] { config_from_gguf(metadata, "x.gguf"); });
  }
}

TEST(ConfigGguf, LinearIsWhatAFactorWithoutATypeMeans) {
  GgufMetadata metadata = config_to_gguf(known_model("tiny"));
  metadata["qwen3.rope.scaling.factor"] = 4.0;
  EXPECT_EQ(config_from_gguf(metadata, "x").rope.scaling, Scaling::kLinear);
  metadata["qwen3.rope.scaling.type"] = std::string("none");
  EXPECT_EQ(config_from_gguf(metadata, "x").rope.scaling, Scaling::kNone);
}

// Whatever a field becomes, the reader either answers or throws its own error.
RC_GTEST_PROP(ConfigHf, SurvivesAnyValueInAnyField, ()) {
  Json config = *rc::gen::elementOf(std::vector<Json>{qwen2_config(), llama_config()});
  std::vector<std::string> keys;
  for (const auto& [key, value] : config.items()) keys.push_back(key);
  const auto key = *rc::gen::elementOf(keys);
  const std::vector<Json> values = {nullptr,
                                    true,
                                    -1,
                                    0,
                                    1e300,
                                    "x",
                                    Json::array(),
                                    Json::object(),
                                    std::uint64_t{0xffffffffffffffff},
                                    *rc::gen::arbitrary<std::int64_t>(),
                                    *rc::gen::arbitrary<double>()};
  config[key] = *rc::gen::elementOf(values);
  try {
    const ModelConfig c = read(config);
    for (const double f : rope_table(c.rope, c.head_dim).inverse_frequency) {
      RC_ASSERT(std::isfinite(f));
    }
  } catch (const Error& error) {
    RC_ASSERT(error.kind() == ErrorKind::kInput);
  }
}

TEST(KnownModels, HaveTheParametersTheirNamesSay) {
  const auto billions = [](const char* name) {
    double total = 0;
    for (const TensorSpec& spec : decoder_tensors(known_model(name))) {
      double count = 1;
      for (const std::size_t n : spec.shape) count *= static_cast<double>(n);
      total += count;
    }
    return total / 1e9;
  };
  // Published counts: the model cards, and the sums that their safetensors indexes give.
  EXPECT_NEAR(billions("qwen3-0.6b"), 0.596, 0.001);
  EXPECT_NEAR(billions("qwen3-8b"), 8.191, 0.001);
  EXPECT_NEAR(billions("qwen2.5-0.5b"), 0.494, 0.001);
  EXPECT_NEAR(billions("qwen2.5-7b"), 7.616, 0.001);
  EXPECT_NEAR(billions("r1-distill-qwen-1.5b"), 1.777, 0.001);
  EXPECT_NEAR(billions("r1-distill-qwen-14b"), 14.770, 0.001);
  EXPECT_NEAR(billions("llama-3.2-1b"), 1.236, 0.001);
  EXPECT_NEAR(billions("r1-distill-llama-8b"), 8.030, 0.001);
  EXPECT_NEAR(billions("qwq-32b"), 32.764, 0.001);
  expect_error(ErrorKind::kUsage, "qwen3-0.6b", [] { known_model("qwen9"); });
}

}  // namespace
}  // namespace laconic
