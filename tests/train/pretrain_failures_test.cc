// SPDX-License-Identifier: Apache-2.0
// What costs a run nothing, a checkpoint, or an evaluation, and what it refuses.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <new>

#include "expect_error.h"
#include "pretrain_testing.h"

namespace laconic::train::test {
namespace {

using PretrainFailures = Pretrain;

TEST_F(PretrainFailures, WithADamagedNewestCheckpointItGoesOnFromTheOneBefore) {
  train("whole");
  train("run", checkpoint_every_step(), 9);
  ASSERT_EQ(checkpoint_files(place_ / "run").size(), 2u);
  const fs::path newest = checkpoint_files(place_ / "run")[0];
  write_file_atomic(newest, read_file(newest).substr(0, 3000));
  said_.clear();
  EXPECT_EQ(train("run"), PretrainEnd::kFinished);
  EXPECT_NE(said_.find("trying the checkpoint before it"), std::string::npos) << said_;
  EXPECT_TRUE(fs::exists(newest.string() + ".damaged"));
  EXPECT_EQ(checkpoint_files(place_ / "run").size(), 2u);
  EXPECT_TRUE(weights("run") == weights("whole"));
  EXPECT_EQ(log("run"), log("whole"));
}

TEST_F(PretrainFailures, WithoutAReadableCheckpointItSaysSo) {
  train("run", little_recipe(), 3);
  for (const fs::path& file : checkpoint_files(place_ / "run")) write_file_atomic(file, "x");
  expect_error([&] { train("run"); }, ErrorKind::kInput, {"none of them can be read"});
  EXPECT_EQ(checkpoint_files(place_ / "run").size(), 1u);
}

TEST_F(PretrainFailures, ACheckpointOfAnotherRecipeIsRefusedByField) {
  train("run", little_recipe(), 3);
  Json other = little_recipe();
  other["model"]["hidden_size"] = 24;
  expect_error([&] { train("run", other); }, ErrorKind::kUsage,
               {"checkpoint of another recipe", "model.hidden_size (16, now 24)"});
  other = little_recipe();
  other["optimizer"]["name"] = "adamw";
  expect_error([&] { train("run", other); }, ErrorKind::kUsage, {"optimizer.name"});
  source_ = CountingSource("counting down");
  expect_error([&] { train("run"); }, ErrorKind::kUsage,
               {"checkpoint of another recipe", "counting", "counting down"});
}

TEST_F(PretrainFailures, AnEvaluationThatFailsCostsOnlyItself) {
  hooks_.evaluate = [](const fs::path&, const std::function<void()>&) -> HeldOut {
    throw Error(ErrorKind::kResource, "no memory for it");
  };
  EXPECT_EQ(train("run"), PretrainEnd::kFinished);
  EXPECT_NE(said_.find("no memory for it"), std::string::npos);
}

TEST_F(PretrainFailures, ACheckpointThatCannotBeWrittenCostsOnlyItself) {
  train("whole");
  // Folders in the places of the files: the disk refuses these names.
  hooks_.progress = [&](const PretrainProgress& progress) {
    if (progress.step != 1) return;
    for (std::uint64_t step = 2; step < 9; ++step) {
      fs::create_directories(place_.path() / "run" /
                             fmt::format("checkpoint-{:09}.safetensors.part", step) / "x");
    }
  };
  EXPECT_EQ(train("run", checkpoint_every_step()), PretrainEnd::kFinished);
  EXPECT_NE(said_.find("the checkpoint before stays"), std::string::npos);
  EXPECT_TRUE(weights("run") == weights("whole"));
}

TEST_F(PretrainFailures, RefusesAVocabularyTooSmallForTheTokenizer) {
  Json document = little_recipe();
  document["model"]["vocab_size"] = 15;
  expect_error([&] { train("run", document); }, ErrorKind::kInput,
               {"model.vocab_size", "15", "16"});
  EXPECT_FALSE(fs::exists(place_ / "run"));
}

TEST_F(PretrainFailures, RefusesTextsBeyondTheContext) {
  Json document = little_recipe();
  document["model"]["max_position_embeddings"] = 8;
  expect_error([&] { train("run", document); }, ErrorKind::kInput, {"max_position_embeddings"});
}

TEST_F(PretrainFailures, ATokenizerFolderWithoutAVocabularyIsRefusedFirst) {
  fs::remove(place_ / "words/tokenizer.json");
  expect_error([&] { train("run"); }, ErrorKind::kInput,
               {"words", "neither tokenizer.json nor vocab.json"});
  EXPECT_FALSE(fs::exists(place_ / "run"));
  write_file_atomic(place_ / "words/vocab.json", "{}");
  EXPECT_EQ(train("run", little_recipe(), 1), PretrainEnd::kStopped);
}

TEST_F(PretrainFailures, AnEvaluationThatRunsOutOfMemoryCostsOnlyItself) {
  hooks_.evaluate = [](const fs::path&, const std::function<void()>&) -> HeldOut {
    throw std::bad_alloc();
  };
  EXPECT_EQ(train("run"), PretrainEnd::kFinished);
  EXPECT_NE(said_.find("too little free memory"), std::string::npos) << said_;
}

TEST_F(PretrainFailures, AnErrorInTheMiddleCostsNoStep) {
  train("whole");
  source_.break_at(100);
  expect_error([&] { train("run"); }, ErrorKind::kInput, {"the text 100 is broken"});
  const auto files = checkpoint_files(place_ / "run");
  ASSERT_EQ(files.size(), 1u);
  EXPECT_EQ(read_run_state(files[0]).step, last_.step);
  source_.break_at({});
  EXPECT_EQ(train("run"), PretrainEnd::kFinished);
  EXPECT_TRUE(weights("run") == weights("whole"));
}

// Weights that are not numbers give losses that are not.
class PretrainPoisoned : public Pretrain {
 protected:
  PretrainPoisoned() {
    train("first", little_recipe(), 0);
    init_ = place_ / "first/model";
    const Recipe recipe = parse_recipe(little_recipe(), place_ / "recipe.json");
    Json model = recipe.model;
    model["vocab_size"] = source_.vocab_size();
    Decoder decoder(DecoderConfig::from_json(model, "model"), 1);
    torch::NoGradGuard no_grad;
    Tensor weight = decoder.parameters()[0].second;
    weight.fill_(std::numeric_limits<float>::quiet_NaN());
    decoder.save(init_, "bfloat16");
  }
};

TEST_F(PretrainPoisoned, CheckpointsCanBeReadAllTheSame) {
  train("run", little_recipe(), 5);
  EXPECT_TRUE(std::isnan(last_.loss));
  said_.clear();
  train("run", little_recipe(), 2);
  EXPECT_NE(said_.find("going on from step 5"), std::string::npos) << said_;
  EXPECT_EQ(read_run_state(checkpoint_files(place_ / "run")[0]).loss_steps, 0u);
}

TEST_F(PretrainPoisoned, EndsWhenNothingIsLearnedAndKeepsTheCheckpointBefore) {
  train("run", little_recipe(), 5);
  expect_error([&] { train("run"); }, ErrorKind::kInput, {"not finite in 20 steps"});
  EXPECT_EQ(checkpoint_files(place_ / "run")[0].filename(), "checkpoint-000000005.safetensors");
  for (const Json& line : log("run")) EXPECT_FALSE(line.contains("loss"));
}

}  // namespace
}  // namespace laconic::train::test
