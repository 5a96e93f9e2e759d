// SPDX-License-Identifier: Apache-2.0
#include "train/recipe.h"

#include <gtest/gtest.h>

#include "base/file.h"
#include "expect_error.h"
#include "test_paths.h"

namespace laconic::train {
namespace {

using test::expect_error;

Json whole_recipe() {
  return Json::parse(R"({
    "name": "little", "seed": 7, "tokenizer": "words", "batch_tokens": 4096, "tokens": 2e8,
    "model": {"model_type": "qwen3", "hidden_size": 64},
    "data": {"source": "problems", "seed": 5, "families": ["ledger"], "learn_question": true,
             "curriculum": {"start": 0.25, "full_at_tokens": 4e7}},
    "optimizer": {"name": "muon", "learning_rate": 0.02, "adamw_learning_rate": 0.003,
                  "weight_decay": 0.01, "beta1": 0.8, "beta2": 0.99, "momentum": 0.9, "clip": 2},
    "schedule": {"name": "constant-decay", "warmup_tokens": 1e6, "decay_tokens": 3e7, "final": 0.1},
    "precision": "f32",
    "evaluate": {"every_tokens": 5e6, "problems": 20, "max_tokens": 900},
    "checkpoint": {"every_seconds": 60}})");
}

Recipe parse(const Json& document) { return parse_recipe(document, "dir/recipe.json"); }

TEST(Recipe, ReadsEveryValue) {
  const Recipe recipe = parse(whole_recipe());
  EXPECT_EQ(recipe.name, "little");
  EXPECT_EQ(recipe.seed, 7u);
  EXPECT_EQ(recipe.tokenizer, "dir/words");
  EXPECT_EQ(recipe.batch_tokens, 4096u);
  EXPECT_EQ(recipe.tokens, 200'000'000u);
  EXPECT_EQ(recipe.data.kind, DataKind::kProblems);
  EXPECT_EQ(recipe.data.seed, 5u);
  EXPECT_EQ(recipe.data.families, std::vector<std::string>{"ledger"});
  EXPECT_TRUE(recipe.data.learn_question);
  EXPECT_DOUBLE_EQ(recipe.data.curriculum.start, 0.25);
  EXPECT_EQ(recipe.data.curriculum.full_at_tokens, 40'000'000u);
  EXPECT_EQ(recipe.optimizer.kind, OptimizerKind::kMuon);
  EXPECT_DOUBLE_EQ(recipe.optimizer.learning_rate, 0.02);
  EXPECT_DOUBLE_EQ(recipe.optimizer.adamw_learning_rate, 0.003);
  EXPECT_DOUBLE_EQ(recipe.optimizer.momentum, 0.9);
  EXPECT_DOUBLE_EQ(recipe.optimizer.clip, 2.0);
  EXPECT_EQ(recipe.schedule.kind, ScheduleKind::kConstantDecay);
  EXPECT_EQ(recipe.schedule.decay_tokens, 30'000'000u);
  EXPECT_EQ(recipe.precision, Precision::kF32);
  EXPECT_EQ(recipe.evaluate.every_tokens, 5'000'000u);
  EXPECT_EQ(recipe.evaluate.max_tokens, 900);
  EXPECT_DOUBLE_EQ(recipe.checkpoint_seconds, 60.0);
}

TEST(Recipe, FillsInWhatMayBeLeftOut) {
  Json document = whole_recipe();
  for (const char* key : {"seed", "batch_tokens", "precision", "evaluate", "checkpoint"}) {
    document.erase(key);
  }
  document["data"] = {{"source", "problems"}};
  document["optimizer"] = {{"name", "muon"}, {"learning_rate", 0.02}};
  const Recipe recipe = parse(document);
  EXPECT_EQ(recipe.precision, Precision::kBF16);
  EXPECT_EQ(recipe.evaluate.every_tokens, 0u);
  EXPECT_DOUBLE_EQ(recipe.optimizer.adamw_learning_rate, 0.02);
  EXPECT_DOUBLE_EQ(recipe.data.curriculum.difficulty(0), 1.0);
}

TEST(Recipe, PathsAreRelativeToTheRecipe) {
  Json document = whole_recipe();
  document["data"] = {{"source", "shards"}, {"files", {"a.shard", "/b.shard"}}};
  const Recipe recipe = parse(document);
  EXPECT_EQ(recipe.data.kind, DataKind::kShards);
  EXPECT_EQ(recipe.data.files, (std::vector<std::filesystem::path>{"dir/a.shard", "/b.shard"}));
}

TEST(Recipe, UnknownKeysAreRefusedEverywhere) {
  for (const char* place : {"", "/model", "/data", "/data/curriculum", "/optimizer", "/schedule",
                            "/evaluate", "/checkpoint"}) {
    Json document = whole_recipe();
    document[Json::json_pointer(place)]["warmup"] = 1;
    std::string section = std::string(place).empty() ? "the recipe" : std::string(place).substr(1);
    if (section == "data/curriculum") section = "data.curriculum";
    expect_error([&] { parse(document); }, ErrorKind::kInput,
                 {"dir/recipe.json", "\"warmup\" is not a key of", section.c_str(), " are"});
  }
}

struct Refusal {
  const char* place;
  const char* value;
  const char* said;
};

// The name that the test runner shows; a dump of the pointers would change with every build.
void PrintTo(const Refusal& refusal, std::ostream* out) {
  *out << refusal.place << " " << refusal.value;
}

class RecipeRefuses : public ::testing::TestWithParam<Refusal> {};

TEST_P(RecipeRefuses, NamingPlaceAndValue) {
  Json document = whole_recipe();
  document[Json::json_pointer(GetParam().place)] = Json::parse(GetParam().value);
  expect_error([&] { parse(document); }, ErrorKind::kInput, {"dir/recipe.json", GetParam().said});
}

INSTANTIATE_TEST_SUITE_P(
    Values, RecipeRefuses,
    ::testing::Values(
        Refusal{"/tokens", "0", "\"tokens\" is 0, a whole number from 1"},
        Refusal{"/tokens", "1.5", "\"tokens\" is 1.5"},
        Refusal{"/tokens", "\"many\"", "\"tokens\" is \"many\""},
        Refusal{"/batch_tokens", "-1", "\"batch_tokens\" is -1"},
        Refusal{"/name", "\"\"", "\"name\" is \"\", a text is expected"},
        Refusal{"/model", "[]", "\"model\" must be an object"},
        Refusal{"/data/source", "\"books\"", "one of problems, shards is allowed"},
        Refusal{"/data/families", "[\"riddles\"]", "\"data.families\": "},
        Refusal{"/data/families", "[]", "\"data.families\" is []"},
        Refusal{"/data/families", "[\"ledger\", \"passcode\", \"ledger\"]",
                "\"data.families\" names \"ledger\" twice"},
        Refusal{"/data/learn_question", "1", "true or false"},
        Refusal{"/data/curriculum/start", "0", "a number above 0 and at most 1"},
        Refusal{"/data/files", "[\"a\"]", "\"files\" is not a key of \"data\""},
        Refusal{"/optimizer/name", "\"sgd\"", "one of muon, adamw is allowed"},
        Refusal{"/optimizer/name", "\"adamw\"", "is not a key of \"optimizer\""},
        Refusal{"/optimizer/learning_rate", "0", "above 0"},
        Refusal{"/optimizer/beta2", "1", "\"optimizer.beta2\" is 1"},
        Refusal{"/schedule/name", "\"cosine\"", "\"decay_tokens\" is not a key of \"schedule\""},
        Refusal{"/schedule/warmup_tokens", "3e8", "\"schedule.warmup_tokens\" is 300000000"},
        Refusal{"/schedule/warmup_tokens", "180000000", "together more than \"tokens\", 200000000"},
        Refusal{"/schedule/final", "1.5", "\"schedule.final\" is 1.5"},
        Refusal{"/precision", "\"f16\"", "one of bf16, f32 is allowed"},
        Refusal{"/evaluate/problems", "0", "\"evaluate.problems\" is 0"},
        Refusal{"/checkpoint/every_seconds", "0", "\"checkpoint.every_seconds\" is 0"}));

TEST(Recipe, MissingKeysAreNamed) {
  for (const char* key :
       {"name", "model", "tokenizer", "data", "tokens", "optimizer", "schedule"}) {
    Json document = whole_recipe();
    document.erase(key);
    const std::string said = "\"" + std::string(key) + "\" is missing";
    expect_error([&] { parse(document); }, ErrorKind::kInput, {said.c_str()});
  }
}

TEST(Recipe, AFileThatIsNoJsonIsNamed) {
  const laconic::test::TemporaryFolder folder;
  write_file_atomic(folder / "recipe.json", "{\"name\":");
  expect_error([&] { load_recipe(folder / "recipe.json"); }, ErrorKind::kInput,
               {"recipe.json", "not valid JSON"});
}

TEST(Curriculum, RisesInAStraightLine) {
  const Curriculum curriculum{0.2, 100};
  EXPECT_DOUBLE_EQ(curriculum.difficulty(0), 0.2);
  EXPECT_DOUBLE_EQ(curriculum.difficulty(50), 0.6);
  EXPECT_DOUBLE_EQ(curriculum.difficulty(100), 1.0);
  EXPECT_DOUBLE_EQ(curriculum.difficulty(1000), 1.0);
}

TEST(RecipeChanges, LengthScheduleAndRatesMayChange) {
  const Json before = parse(whole_recipe()).resolved();
  Json now = before;
  now["tokens"] = 5;
  now["schedule"]["final"] = 0.5;
  now["optimizer"]["learning_rate"] = 0.01;
  now["evaluate"]["problems"] = 1;
  now["checkpoint"]["every_seconds"] = 1;
  const RecipeChanges changes = recipe_changes(before, now);
  EXPECT_TRUE(changes.forbidden.empty());
  ASSERT_EQ(changes.allowed.size(), 5u);
  EXPECT_EQ(changes.allowed[2], "optimizer.learning_rate (0.02, now 0.01)");
}

TEST(RecipeChanges, WhatShapedTheWeightsMayNot) {
  const Json before = parse(whole_recipe()).resolved();
  for (const char* place : {"/seed", "/model/hidden_size", "/data/seed", "/data/curriculum/start",
                            "/batch_tokens", "/optimizer/name", "/precision"}) {
    Json now = before;
    now[Json::json_pointer(place)] = 1;
    EXPECT_EQ(recipe_changes(before, now).forbidden.size(), 1u) << place;
  }
  Json now = before;
  now["data"]["families"] = {"ledger", "passcode"};
  EXPECT_EQ(recipe_changes(before, now).forbidden,
            std::vector<std::string>{"data.families.1 (absent, now \"passcode\")"});
}

}  // namespace
}  // namespace laconic::train
