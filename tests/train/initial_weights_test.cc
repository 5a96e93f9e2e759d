// SPDX-License-Identifier: Apache-2.0
#include "train/initial_weights.h"

#include <gtest/gtest.h>

#include "base/file.h"
#include "base/json.h"
#include "expect_error.h"
#include "train/decoder_testing.h"

namespace laconic::train::test {
namespace {

class InitialWeights : public ::testing::Test {
 protected:
  InitialWeights() {
    Decoder(small_config("qwen3"), 1).save(folder(), "float32");
    std::filesystem::create_directories(words());
  }
  std::filesystem::path folder() const { return place_ / "model"; }
  std::filesystem::path words() const { return place_ / "words"; }

  void load(const DecoderConfig& config = small_config("qwen3")) {
    Decoder decoder(config, 2);
    load_initial_weights(folder(), words(), decoder);
  }
  void write_words(const std::filesystem::path& where, const Json& vocab,
                   const char* name = "tokenizer.json") {
    const Json added = {{{"id", 2}, {"content", "<end>"}, {"special", where == words()}}};
    const Json whole = {{"model", {{"vocab", vocab}}}, {"added_tokens", added}};
    write_file_atomic(where / name,
                      std::string(name) == "vocab.json" ? vocab.dump() : whole.dump());
  }

  TemporaryFolder place_;
};

TEST_F(InitialWeights, OfTheSameModelAreTaken) {
  Decoder decoder(small_config("qwen3"), 2);
  load_initial_weights(folder(), words(), decoder);
  const Decoder same(small_config("qwen3"), 1);
  EXPECT_TRUE(at::equal(decoder.parameters()[0].second, same.parameters()[0].second));
}

TEST_F(InitialWeights, OfAModelThatMeansSomethingElseAreRefusedByField) {
  const auto expect_refusal = [&](const DecoderConfig& config, const char* field) {
    expect_error([&] { load(config); }, ErrorKind::kInput, {"model/config.json", field});
  };
  DecoderConfig config = small_config("qwen3");
  config.rope_theta = 1e6;
  expect_refusal(config, "\"rope_theta\" is 10000.0, the recipe's model has 1000000.0");
  config = small_config("qwen3");
  config.norm_epsilon = 1e-5;
  expect_refusal(config, "\"rms_norm_eps\"");
  config = small_config("qwen3");
  config.heads = 8;
  config.head_dim = 8;
  expect_refusal(config, "\"num_attention_heads\" is 4");
  config = small_config("qwen3");
  config.context = 99;
  config.eos = {3};
  load(config);
}

TEST_F(InitialWeights, OfAnotherVocabularyAreRefused) {
  write_words(folder(), {{"a", 0}, {"b", 1}});
  load();
  write_words(words(), {{"a", 0}, {"b", 1}});
  load();
  write_words(words(), {{"b", 0}, {"a", 1}});
  expect_error([&] { load(); }, ErrorKind::kInput,
               {"model/tokenizer.json", "other tokens", "words/tokenizer.json"});
}

TEST_F(InitialWeights, OfAnotherVocabularyFileAreRefused) {
  write_words(folder(), {{"a", 0}}, "vocab.json");
  write_words(words(), {{"b", 0}}, "vocab.json");
  expect_error([&] { load(); }, ErrorKind::kInput, {"model/vocab.json", "other tokens"});
}

TEST_F(InitialWeights, OfNoModelAreNamed) {
  std::filesystem::remove(folder() / "config.json");
  expect_error([&] { load(); }, ErrorKind::kInput, {"model/config.json"});
}

}  // namespace
}  // namespace laconic::train::test
