// SPDX-License-Identifier: Apache-2.0
#include "train/pretrain.h"

#include <gtest/gtest.h>

#include "expect_error.h"
#include "pretrain_testing.h"

namespace laconic::train::test {
namespace {

TEST_F(Pretrain, LearnsAndWritesAHuggingFaceFolder) {
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

TEST_F(Pretrain, ALastEvaluationThatWasStoppedIsStillToCome) {
  bool stop = false;
  hooks_.stop = [&] { return stop; };
  hooks_.evaluate = [&](const fs::path&, const std::function<void()>& on_step) {
    stop = last_.tokens >= 1800;
    on_step();
    return HeldOut{{{"ledger", 4, 2, 40}}};
  };
  EXPECT_EQ(train("run"), PretrainEnd::kStopped);
  EXPECT_FALSE(log("run").back().contains("held_out"));
  last_ = {};
  EXPECT_EQ(train("run"), PretrainEnd::kFinished);
  EXPECT_TRUE(log("run").back().contains("held_out"));
}

TEST_F(Pretrain, TheFolderOfTheFirstWeightsMayBeSpeltDifferently) {
  train("first");
  init_ = place_ / "first/model";
  train("second", little_recipe(), 2);
  init_ = place_ / "first/../first/./model";
  EXPECT_EQ(train("second"), PretrainEnd::kFinished);
}

}  // namespace
}  // namespace laconic::train::test
