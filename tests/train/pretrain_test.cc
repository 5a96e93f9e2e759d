// SPDX-License-Identifier: Apache-2.0
#include "train/pretrain.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/file.h"
#include "expect_error.h"
#include "io/safetensors.h"
#include "test_paths.h"
#include "train/checkpoint.h"
#include "train/run_folder.h"

namespace laconic::train {
namespace {

namespace fs = std::filesystem;
using laconic::test::TemporaryFolder;
using test::expect_error;

// Texts that count upwards: learnt in a few steps.
class CountingSource : public TextSource {
 public:
  explicit CountingSource(std::string fingerprint = "counting")
      : fingerprint_(std::move(fingerprint)) {}
  TrainingText text(std::uint64_t index, std::uint64_t) const override {
    TrainingText text;
    text.id = "count " + std::to_string(index);
    for (std::uint64_t i = 0; i < 6 + index % 5; ++i) {
      text.ids.push_back(static_cast<std::int32_t>((index * 5 + i) % 16));
    }
    text.loss_start = 1;
    return text;
  }
  std::size_t vocab_size() const override { return 16; }
  std::string fingerprint() const override { return fingerprint_; }

 private:
  std::string fingerprint_;
};

Json little_recipe() {
  return Json::parse(R"({
    "name": "little", "seed": 3, "tokenizer": "words", "batch_tokens": 64, "tokens": 1800,
    "model": {"model_type": "qwen3", "hidden_size": 16, "num_hidden_layers": 1,
              "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 8,
              "intermediate_size": 32, "max_position_embeddings": 32, "rope_theta": 10000.0,
              "rms_norm_eps": 1e-6, "tie_word_embeddings": true},
    "data": {"source": "problems"},
    "optimizer": {"name": "muon", "learning_rate": 0.05},
    "schedule": {"name": "cosine", "warmup_tokens": 100},
    "evaluate": {"every_tokens": 500},
    "checkpoint": {"every_seconds": 60}})");
}

Json checkpoint_every_step() {
  Json recipe = little_recipe();
  recipe["checkpoint"]["every_seconds"] = 1e-6;
  return recipe;
}

class Pretrain : public ::testing::Test {
 protected:
  Pretrain() {
    hooks_.say = [this](const std::string& sentence) { said_ += sentence + "\n"; };
    hooks_.progress = [this](const PretrainProgress& progress) { last_ = progress; };
  }

  PretrainEnd train(const std::string& out, const Json& document = little_recipe(),
                    std::optional<std::uint64_t> stop_after = {}) {
    PretrainOptions options;
    options.out = place_ / out;
    options.init = init_;
    options.stop_after_steps = stop_after;
    return pretrain(parse_recipe(document, place_ / "recipe.json"), source_, options, hooks_);
  }

  // Every bit that the next step would depend on.
  std::string weights(const std::string& out) {
    const SafetensorsFile file(checkpoint_files(place_ / out).at(0));
    std::string bytes = std::to_string(read_run_state(file.path()).step);
    for (const std::string& name : file.names()) {
      const auto view = file.tensor(name).bytes;
      bytes += name;
      bytes.append(reinterpret_cast<const char*>(view.data()), view.size());
    }
    return bytes;
  }

  // Lines of the log without what the clock says.
  std::vector<Json> log(const std::string& out) {
    std::vector<Json> lines;
    std::ifstream file(place_.path() / out / "log.jsonl");
    for (std::string line; std::getline(file, line);) {
      lines.push_back(Json::parse(line));
      for (const char* key : {"seconds", "tokens_per_second"}) lines.back().erase(key);
      if (lines.back().contains("held_out")) lines.back()["held_out"].erase("seconds");
    }
    return lines;
  }

  TemporaryFolder place_;
  CountingSource source_;
  PretrainHooks hooks_;
  fs::path init_;
  std::string said_;
  PretrainProgress last_;
};

TEST_F(Pretrain, LearnsAndWritesAHuggingFaceFolder) {
  fs::create_directories(place_ / "words");
  write_file_atomic(place_ / "words/tokenizer.json", "{}");
  EXPECT_EQ(train("run"), PretrainEnd::kFinished);
  const std::vector<Json> lines = log("run");
  ASSERT_GE(lines.size(), 2u);
  EXPECT_LT(lines.back()["loss"].get<double>(), 0.6 * lines.front()["loss"].get<double>());
  EXPECT_GE(last_.tokens, 1800u);
  EXPECT_EQ(last_.total_tokens, 1800u);
  for (const char* name : {"model.safetensors", "config.json", "tokenizer.json"}) {
    EXPECT_TRUE(fs::exists(place_.path() / "run/model" / name)) << name;
  }
}

TEST_F(Pretrain, StoppedAnywhereItEndsWithTheSameBits) {
  train("whole");
  for (const std::uint64_t pause : {1u, 7u}) {
    const std::string out = "parts" + std::to_string(pause);
    while (train(out, little_recipe(), pause) == PretrainEnd::kStopped) {
    }
    EXPECT_TRUE(weights(out) == weights("whole")) << pause;
    EXPECT_EQ(log(out), log("whole")) << pause;
    EXPECT_EQ(read_file(place_.path() / out / "model/model.safetensors"),
              read_file(place_ / "whole/model/model.safetensors"));
  }
  EXPECT_NE(said_.find("going on from step"), std::string::npos);
}

TEST_F(Pretrain, WithADamagedNewestCheckpointItGoesOnFromTheOneBefore) {
  train("whole");
  train("run", checkpoint_every_step(), 9);
  ASSERT_EQ(checkpoint_files(place_ / "run").size(), 2u);
  const fs::path newest = checkpoint_files(place_ / "run")[0];
  write_file_atomic(newest, read_file(newest).substr(0, 3000));
  said_.clear();
  EXPECT_EQ(train("run"), PretrainEnd::kFinished);
  EXPECT_NE(said_.find("trying the checkpoint before it"), std::string::npos) << said_;
  EXPECT_TRUE(weights("run") == weights("whole"));
  EXPECT_EQ(log("run"), log("whole"));
}

TEST_F(Pretrain, WithoutAReadableCheckpointItSaysSo) {
  train("run", little_recipe(), 3);
  for (const fs::path& file : checkpoint_files(place_ / "run")) write_file_atomic(file, "x");
  expect_error([&] { train("run"); }, ErrorKind::kInput, {"none of them can be read"});
}

TEST_F(Pretrain, ACheckpointOfAnotherRecipeIsRefusedByField) {
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

TEST_F(Pretrain, ARunCanBeProlonged) {
  train("run");
  Json longer = little_recipe();
  longer["tokens"] = 2400;
  longer["optimizer"]["learning_rate"] = 0.01;
  said_.clear();
  EXPECT_EQ(train("run", longer), PretrainEnd::kFinished);
  EXPECT_NE(said_.find("tokens (1800, now 2400)"), std::string::npos) << said_;
  EXPECT_GE(log("run").back()["tokens"].get<int>(), 2400);
}

TEST_F(Pretrain, AFinishedRunDoesNothingMore) {
  train("run");
  const std::string before = weights("run");
  const auto lines = log("run");
  EXPECT_EQ(train("run"), PretrainEnd::kFinished);
  EXPECT_TRUE(weights("run") == before);
  EXPECT_EQ(log("run"), lines);
}

TEST_F(Pretrain, BeginsFromGivenWeights) {
  train("first");
  init_ = place_ / "first/model";
  train("second", little_recipe(), 0);
  const SafetensorsFile first(place_ / "first/model/model.safetensors");
  const SafetensorsFile second(place_ / "second/model/model.safetensors");
  const std::string name = "model.embed_tokens.weight";
  const auto a = first.tensor(name).bytes, b = second.tensor(name).bytes;
  EXPECT_TRUE(std::equal(a.begin(), a.end(), b.begin(), b.end()));
  init_ = place_ / "elsewhere";
  expect_error([&] { train("second"); }, ErrorKind::kUsage,
               {"--init", "cannot take effect", "first/model"});
}

TEST_F(Pretrain, EvaluatesWhenDueAndAtTheEnd) {
  std::vector<std::uint64_t> at;
  hooks_.evaluate = [&](const fs::path& model, const std::function<void()>&) {
    EXPECT_TRUE(fs::exists(model / "model.safetensors"));
    at.push_back(last_.tokens);
    return HeldOut{{{"ledger", 4, at.size() - 1, 40}}};
  };
  train("run");
  ASSERT_EQ(at.size(), 4u);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(at[i] / 500, i + 1);
  EXPECT_EQ(at[3], last_.tokens);
  std::vector<double> logged;
  for (const Json& line : log("run")) {
    if (line.contains("held_out")) logged.push_back(line["held_out"]["accuracy"].get<double>());
  }
  EXPECT_EQ(logged, (std::vector<double>{0, 0.25, 0.5, 0.75}));
}

TEST_F(Pretrain, AnEvaluationThatWasStoppedComesAgain) {
  bool stop = false;
  int evaluations = 0;
  hooks_.stop = [&] { return stop; };
  hooks_.evaluate = [&](const fs::path&, const std::function<void()>& on_step) {
    if (++evaluations == 1) stop = true;
    on_step();
    return HeldOut{{{"ledger", 4, 2, 40}}};
  };
  EXPECT_EQ(train("run"), PretrainEnd::kStopped);
  for (const Json& line : log("run")) EXPECT_FALSE(line.contains("held_out"));
  stop = false;
  EXPECT_EQ(train("run"), PretrainEnd::kFinished);
  EXPECT_EQ(evaluations, 5);
  hooks_ = {};
}

TEST_F(Pretrain, AnEvaluationThatFailsCostsOnlyItself) {
  hooks_.evaluate = [](const fs::path&, const std::function<void()>&) -> HeldOut {
    throw Error(ErrorKind::kResource, "no memory for it");
  };
  EXPECT_EQ(train("run"), PretrainEnd::kFinished);
  EXPECT_NE(said_.find("no memory for it"), std::string::npos);
}

TEST_F(Pretrain, ACheckpointThatCannotBeWrittenCostsOnlyItself) {
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

TEST_F(Pretrain, RefusesAVocabularyTooSmallForTheTokenizer) {
  Json document = little_recipe();
  document["model"]["vocab_size"] = 15;
  expect_error([&] { train("run", document); }, ErrorKind::kInput,
               {"model.vocab_size", "15", "16"});
  EXPECT_FALSE(fs::exists(place_ / "run"));
}

TEST_F(Pretrain, RefusesTextsBeyondTheContext) {
  Json document = little_recipe();
  document["model"]["max_position_embeddings"] = 8;
  expect_error([&] { train("run", document); }, ErrorKind::kInput, {"max_position_embeddings"});
}

}  // namespace
}  // namespace laconic::train
