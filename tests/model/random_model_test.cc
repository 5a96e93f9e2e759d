// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "checkpoint_files.h"
#include "expect_error.h"
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

TEST(RandomModel, RefusesPlacesAndTypesThatCannotBe) {
  const TemporaryFolder folder;
  const ModelConfig tiny = known_model("tiny");
  expect_error(ErrorKind::kUsage, ".gguf",
               [&] { make_random_model(tiny, folder / "m", DType::kQ4_0, {}, 1); });
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
