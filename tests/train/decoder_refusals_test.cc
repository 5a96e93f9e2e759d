// SPDX-License-Identifier: Apache-2.0
// What the decoder of the trainer does not take, in one sentence each.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/file.h"
#include "train/decoder_testing.h"

namespace laconic::train::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::string refusal(const std::function<void()>& attempt) {
  try {
    attempt();
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing was refused";
}

std::string config_refusal(const Json& change) {
  Json config = small_config("qwen3").to_json();
  config.update(change);
  return refusal([&] { DecoderConfig::from_json(config, "config.json"); });
}

TEST(DecoderConfig, IsReadAsItIsWritten) {
  DecoderConfig config = small_config("llama", false);
  config.eos = {3, 5};
  config.bos = 1;
  config.norm_epsilon = 1e-5;
  config.rope_theta = 500000.0;
  const DecoderConfig read = DecoderConfig::from_json(config.to_json(), "config.json");
  EXPECT_EQ(read.to_json(), config.to_json());
  EXPECT_EQ(read.eos, config.eos);
  EXPECT_FALSE(read.tied);
}

TEST(DecoderConfig, TakesTheNewerSpellingOfTheBase) {
  Json config = small_config("qwen3").to_json();
  config.erase("rope_theta");
  config["rope_parameters"] = {{"rope_type", "default"}, {"rope_theta", 1e6}};
  EXPECT_EQ(DecoderConfig::from_json(config, "config.json").rope_theta, 1e6);
}

TEST(DecoderConfig, RefusesByName) {
  EXPECT_THAT(config_refusal({{"model_type", "gpt2"}}),
              AllOf(HasSubstr("config.json"), HasSubstr("\"gpt2\""), HasSubstr("qwen3")));
  EXPECT_THAT(config_refusal({{"rope_scaling", {{"rope_type", "yarn"}, {"factor", 4.0}}}}),
              AllOf(HasSubstr("rope_scaling"), HasSubstr("\"yarn\"")));
  EXPECT_THAT(config_refusal({{"rope_scaling", {{"type", "linear"}, {"factor", 4.0}}}}),
              HasSubstr("\"linear\""));
  EXPECT_THAT(config_refusal({{"rope_scaling", {{"factor", 4.0}}}}), HasSubstr("factor"));
  EXPECT_THAT(config_refusal({{"attention_bias", true}}), HasSubstr("attention_bias"));
  EXPECT_THAT(config_refusal({{"use_sliding_window", true}}), HasSubstr("use_sliding_window"));
  EXPECT_THAT(config_refusal({{"hidden_act", "gelu"}}), HasSubstr("\"gelu\""));
  EXPECT_THAT(config_refusal({{"quantization_config", {{"quant_method", "awq"}}}}),
              HasSubstr("quantised"));
  EXPECT_THAT(config_refusal({{"num_key_value_heads", 3}}), HasSubstr("num_key_value_heads"));
  EXPECT_THAT(config_refusal({{"head_dim", 15}}), HasSubstr("head_dim"));
  EXPECT_THAT(config_refusal({{"hidden_size", nullptr}}), HasSubstr("hidden_size"));
  EXPECT_THAT(config_refusal({{"hidden_size", 0}}), HasSubstr("hidden_size"));
  EXPECT_THAT(config_refusal({{"vocab_size", "many"}}), HasSubstr("vocab_size"));
  EXPECT_THAT(config_refusal({{"rms_norm_eps", -1.0}}), HasSubstr("rms_norm_eps"));
  EXPECT_THAT(config_refusal({{"eos_token_id", 97}}), HasSubstr("eos_token_id"));
}

TEST(DecoderFiles, WeightsOfAnotherShapeAreRefused) {
  const TemporaryFolder folder;
  const Decoder decoder(small_config("qwen3"), 1);
  decoder.save(folder.path(), "float32");
  const auto load = [&](const DecoderConfig& config) {
    Decoder other(config, 1);
    other.load_weights(folder.path());
  };
  DecoderConfig wide = small_config("qwen3");
  wide.intermediate = 64;
  EXPECT_THAT(refusal([&] { load(wide); }), AllOf(HasSubstr("[56, 40]"), HasSubstr("[64, 40]")));
  DecoderConfig deep = small_config("qwen3");
  deep.layers = 3;
  EXPECT_THAT(refusal([&] { load(deep); }),
              AllOf(HasSubstr("model.layers.2.input_layernorm.weight"), HasSubstr("missing")));
  EXPECT_THAT(refusal([&] { load(small_config("qwen3", false)); }), HasSubstr("lm_head.weight"));
  EXPECT_THAT(refusal([&] { load(small_config("llama")); }), HasSubstr("_norm.weight"));
}

TEST(DecoderFiles, ARefusedFileLeavesTheParametersAlone) {
  const TemporaryFolder folder;
  DecoderConfig deep = small_config("qwen3");
  deep.layers = 3;
  Decoder(small_config("qwen3"), 1).save(folder.path(), "float32");
  Decoder target(deep, 2);
  const Decoder untouched(deep, 2);
  EXPECT_THROW(target.load_weights(folder.path()), Error);
  for (std::size_t i = 0; i < target.parameters().size(); ++i) {
    EXPECT_TRUE(at::equal(target.parameters()[i].second, untouched.parameters()[i].second));
  }
}

TEST(DecoderFiles, SavingAsAnotherTypeIsRefused) {
  const TemporaryFolder folder;
  const Decoder decoder(small_config("qwen3"), 1);
  EXPECT_THAT(refusal([&] { decoder.save(folder.path(), "float16"); }),
              AllOf(HasSubstr("float16"), HasSubstr("bfloat16")));
}

TEST(DecoderBatch, IdsOutsideTheVocabularyAreRefused) {
  const Decoder decoder(small_config("qwen3"), 1);
  PackedBatch batch = random_batch({12}, 97, 8);
  batch.ids[3] = 97;
  EXPECT_THAT(refusal([&] { decoder.loss(batch, Precision::kF32); }),
              AllOf(HasSubstr("token 97"), HasSubstr("97 tokens")));
  batch.ids[3] = 1;
  batch.targets[5] = 200;
  EXPECT_THAT(refusal([&] { decoder.loss(batch, Precision::kF32); }), HasSubstr("target 200"));
}

}  // namespace
}  // namespace laconic::train::test
