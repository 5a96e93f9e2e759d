// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "checkpoint_files.h"
#include "expect_error.h"
#include "kernels/quantize.h"
#include "model/convert.h"
#include "model/made_tokenizer.h"
#include "model/random_weights.h"
#include "test_paths.h"

namespace laconic {
namespace {

namespace fs = std::filesystem;
using test::expect_error;
using test::floats;
using test::TemporaryFolder;

TEST(RandomWeights, DoNotDependOnThreads) {
  Threads one(1), three(3);
  const TensorSpec spec{"model.layers.0.mlp.up_proj.weight", {160, 64}};
  for (const DType type : {DType::kF32, DType::kBF16, DType::kQ8_0}) {
    EXPECT_EQ(random_tensor(5, spec, type, one), random_tensor(5, spec, type, three));
  }
  const TensorSpec wide{spec.name, {600, 256}};
  EXPECT_EQ(random_tensor(5, wide, DType::kQ6_K, one), random_tensor(5, wide, DType::kQ6_K, three));
  EXPECT_NE(random_tensor(5, spec, DType::kF32, one), random_tensor(6, spec, DType::kF32, one));
}

TEST(RandomWeights, StayAsTheyAre) {
  // Files made by one version must be made by the next.
  std::vector<float> row(3);
  random_row(0, "model.norm.weight", 0, 0.0f, 1.0f, row);
  const std::vector<float> first = row;
  random_row(0, "model.norm.weight", 1, 0.0f, 1.0f, row);
  EXPECT_NE(first, row);
  random_row(0, "lm_head.weight", 0, 0.0f, 1.0f, row);
  EXPECT_NE(first, row);
  random_row(0, "model.norm.weight", 0, 0.0f, 1.0f, row);
  EXPECT_EQ(first, row);
}

TEST(RandomWeights, AreCentredWithTheAskedDeviation) {
  std::vector<float> row(200000);
  random_row(9, "x", 0, 0.5f, 2.0f, row);
  double sum = 0, squares = 0;
  for (const float v : row) sum += static_cast<double>(v);
  const double mean = sum / 200000;
  for (const float v : row) squares += std::pow(static_cast<double>(v) - mean, 2);
  EXPECT_NEAR(mean, 0.5, 0.02);  // 4.5 deviations of the mean
  EXPECT_NEAR(std::sqrt(squares / 200000), 2.0, 0.015);
}

TEST(RandomWeights, OfKQuantsHaveTheDeviationToo) {
  Threads threads(1);
  for (const std::size_t cols : {std::size_t{256}, std::size_t{8960}}) {
    const TensorSpec spec{"x", {200, cols}};
    for (const DType type : {DType::kQ4_K, DType::kQ5_K, DType::kQ6_K}) {
      const std::vector<std::byte> bytes = random_tensor(5, spec, type, threads);
      std::vector<float> values(200 * cols);
      ASSERT_EQ(bytes.size(), row_bytes(type, values.size()));
      dequantize(type, bytes.data(), values.size(), values.data());
      double sum = 0, squares = 0;
      for (const float v : values) {
        sum += static_cast<double>(v);
        squares += std::pow(static_cast<double>(v), 2);
      }
      const double count = static_cast<double>(values.size());
      const double deviation = std::sqrt(squares / count) * std::sqrt(static_cast<double>(cols));
      // 1600 scales at least: each counts as a draw.
      EXPECT_NEAR(deviation, 1.0, 0.06) << dtype_name(type) << " " << cols;
      EXPECT_NEAR(sum / count * std::sqrt(static_cast<double>(cols)), 0.0, 0.06)
          << dtype_name(type) << " " << cols;
    }
  }
}

TEST(RandomModel, SameSeedSameBytes) {
  const TemporaryFolder folder;
  for (const char* name : {"a", "b"}) {
    make_random_model(known_model("tiny"), folder / name, DType::kBF16, {}, 11);
    make_random_model(known_model("tiny"), folder / (std::string(name) + ".gguf"), DType::kQ8_0, {},
                      11);
  }
  EXPECT_EQ(read_file(folder / "a" / "model.safetensors"),
            read_file(folder / "b" / "model.safetensors"));
  EXPECT_EQ(read_file(folder / "a.gguf"), read_file(folder / "b.gguf"));
  make_random_model(known_model("tiny"), folder / "c", DType::kBF16, {}, 12);
  EXPECT_NE(read_file(folder / "a" / "model.safetensors"),
            read_file(folder / "c" / "model.safetensors"));
}

TEST(RandomModel, IsTheSameModelInBothFormats) {
  const TemporaryFolder folder;
  make_random_model(known_model("tiny"), folder / "m", DType::kF32, {}, 2);
  make_random_model(known_model("tiny"), folder / "m.gguf", DType::kF32, {}, 2);
  const Checkpoint a = Checkpoint::open(folder / "m"), b = Checkpoint::open(folder / "m.gguf");
  for (const TensorView& tensor : a.tensors()) {
    EXPECT_EQ(floats(tensor), floats(*b.find(tensor.name))) << tensor.name;
  }
  const auto ta = a.tokenizer(), tb = b.tokenizer();
  ASSERT_TRUE(ta && tb);
  const std::string text = "<|im_start|>user\nThe thing, and 12 others: é 漢<|im_end|><think>";
  EXPECT_EQ(ta->encode(text), tb->encode(text));
  EXPECT_EQ(ta->decode(ta->encode(text)), text);
  EXPECT_EQ(ta->vocab_size(), 512u);
  EXPECT_EQ(tb->vocab_size(), 512u);
  EXPECT_EQ(a.config().eos, (std::vector<std::int32_t>{258, 256}));
  EXPECT_TRUE(ta->is_end(258) && ta->is_end(256) && tb->is_end(258) && tb->is_end(256));
  EXPECT_EQ(ta->data().chat_template, tb->data().chat_template);
  EXPECT_FALSE(ta->data().chat_template.empty());
  EXPECT_EQ(a.generation_config()["eos_token_id"], (Json{258, 256}));
}

TEST(RandomModel, TakesATokenizerFromADirectory) {
  const fs::path tokenizer = test::shared_data() / "models" / "stories260K";
  LACONIC_NEEDS(tokenizer);
  const TemporaryFolder folder;
  for (const char* name : {"m", "m.gguf"}) {
    make_random_model(known_model("tiny"), folder / name, DType::kBF16, tokenizer, 2);
    const Checkpoint checkpoint = Checkpoint::open(folder / name);
    EXPECT_EQ(checkpoint.config().eos, std::vector<std::int32_t>{2});
    const auto made = checkpoint.tokenizer();
    ASSERT_TRUE(made);
    EXPECT_EQ(made->encode("Once upon a time"),
              Tokenizer::from_directory(tokenizer).encode("Once upon a time"));
  }
  ModelConfig narrow = known_model("tiny");
  narrow.vocab = 300;
  expect_error(ErrorKind::kUsage, "512 tokens",
               [&] { make_random_model(narrow, folder / "n", DType::kBF16, tokenizer, 2); });
}

// Which V and down projections of 28 layers are Q6_K, counted by hand.
TEST(RandomModel, TheMixSparesTheCostlyMatrices) {
  ModelConfig config = known_model("tiny");
  config.layers = 28;
  const TypeMix mix = TypeMix::q4_k_m();
  const std::set<std::size_t> costly = {0, 1, 2, 5, 8, 11, 14, 17, 20, 23, 24, 25, 26, 27};
  for (std::size_t layer = 0; layer < config.layers; ++layer) {
    const std::string prefix = "model.layers." + std::to_string(layer) + ".";
    const DType more = costly.count(layer) > 0 ? DType::kQ6_K : DType::kQ4_K;
    EXPECT_EQ(mix.of(config, prefix + "self_attn.v_proj.weight"), more) << layer;
    EXPECT_EQ(mix.of(config, prefix + "mlp.down_proj.weight"), more) << layer;
    for (const char* other :
         {"self_attn.q_proj.weight", "self_attn.k_proj.weight", "self_attn.o_proj.weight",
          "mlp.gate_proj.weight", "mlp.up_proj.weight"}) {
      EXPECT_EQ(mix.of(config, prefix + other), DType::kQ4_K) << other;
    }
  }
  EXPECT_EQ(mix.of(config, "model.embed_tokens.weight"), DType::kQ6_K);
  config.tied_head = false;
  EXPECT_EQ(mix.of(config, "model.embed_tokens.weight"), DType::kQ4_K);
  EXPECT_EQ(mix.of(config, "lm_head.weight"), DType::kQ6_K);
}

TEST(RandomModel, HasTheTypesOfItsMix) {
  const TemporaryFolder folder;
  ModelConfig config = known_model("tiny");
  config.hidden = 256;
  config.intermediate = 512;
  config.head_dim = 64;
  make_random_model(config, folder / "m.gguf", TypeMix::q4_k_m(), {}, 1);
  const GgufFile file(folder / "m.gguf");
  EXPECT_EQ(gguf_uint(file.metadata(), "general.file_type"), 15u);
  EXPECT_EQ(file.tensor("token_embd.weight").type, DType::kQ6_K);
  EXPECT_EQ(file.tensor("blk.0.attn_q.weight").type, DType::kQ4_K);
  EXPECT_EQ(file.tensor("blk.0.attn_v.weight").type, DType::kQ4_K);
  EXPECT_EQ(file.tensor("blk.2.attn_v.weight").type, DType::kQ6_K);
  EXPECT_EQ(file.tensor("blk.2.ffn_down.weight").type, DType::kQ6_K);
  EXPECT_EQ(file.tensor("blk.2.attn_norm.weight").type, DType::kF32);
  make_random_model(config, folder / "q5.gguf", DType::kQ5_K, {}, 1);
  EXPECT_EQ(GgufFile(folder / "q5.gguf").tensor("blk.2.attn_v.weight").type, DType::kQ5_K);
}

TEST(RandomModel, RefusesPlacesAndTypesThatCannotBe) {
  const TemporaryFolder folder;
  const ModelConfig tiny = known_model("tiny");
  expect_error(ErrorKind::kUsage, ".gguf",
               [&] { make_random_model(tiny, folder / "m", DType::kQ4_0, {}, 1); });
  expect_error(ErrorKind::kUsage, ".gguf",
               [&] { make_random_model(tiny, folder / "m", TypeMix::q4_k_m(), {}, 1); });
  expect_error(ErrorKind::kUsage,
               "q4_k_m needs rows that are a multiple of 256; "
               "model.embed_tokens.weight has rows of 64",
               [&] { make_random_model(tiny, folder / "m.gguf", TypeMix::q4_k_m(), {}, 1); });
  fs::create_directories(folder.path() / "full" / "x");
  expect_error(ErrorKind::kUsage, "not an empty directory",
               [&] { make_random_model(tiny, folder / "full", DType::kBF16, {}, 1); });
  write_file_atomic(folder / "file", "x");
  expect_error(ErrorKind::kResource, "cannot write",
               [&] { make_random_model(tiny, folder.path() / "file" / "m", DType::kBF16, {}, 1); });
  ModelConfig narrow = tiny;
  narrow.vocab = 100;
  expect_error(ErrorKind::kUsage, "vocabulary",
               [&] { make_random_model(narrow, folder / "m", DType::kBF16, {}, 1); });
  for (const auto& entry : fs::directory_iterator(folder.path())) {
    EXPECT_EQ(entry.path().string().find(".tmp"), std::string::npos) << entry.path();
  }
}

TEST(MadeTokenizer, FillsTheVocabularyWithDistinctTexts) {
  for (const std::size_t vocab : {std::size_t{261}, std::size_t{270}, std::size_t{5000}}) {
    const TokenizerData data = made_tokenizer(vocab);
    EXPECT_EQ(data.tokens.size(), vocab);
    EXPECT_EQ(std::set<std::string>(data.tokens.begin(), data.tokens.end()).size(), vocab);
    const Tokenizer tokenizer(data);
    EXPECT_EQ(tokenizer.find("<|im_end|>"), data.eos);
    EXPECT_EQ(tokenizer.decode(tokenizer.encode("the \xf0\x9f\x90\xab\n")),
              "the \xf0\x9f\x90\xab\n");
  }
}

}  // namespace
}  // namespace laconic
