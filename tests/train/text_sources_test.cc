// SPDX-License-Identifier: Apache-2.0
#include "train/text_sources.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/file.h"
#include "data/vocabulary_folder.h"
#include "expect_error.h"
#include "test_paths.h"
#include "train/problem_source.h"
#include "train/shard_source.h"

namespace laconic::train {
namespace {

using laconic::test::TemporaryFolder;
using test::expect_error;

class TextSources : public ::testing::Test {
 protected:
  TextSources() {
    BpeTrainer trainer(chat_vocabulary(400));
    for (std::uint64_t i = 0; i < 5; ++i) trainer.add(solution_text(make_problem({}, i)));
    write_vocabulary_folder(words(), trainer.tokenizer_json());
    recipe_.seed = 9;
  }
  std::filesystem::path words() const { return place_ / "words"; }

  // tokenizer_config.json with one key changed.
  void change_config(const char* key, const Json& value) {
    const auto file = words() / "tokenizer_config.json";
    Json config = parse_json(read_file(file), "config");
    config[key] = value;
    write_file_atomic(file, config.dump());
  }

  TemporaryFolder place_;
  DataRecipe recipe_;
};

TEST_F(TextSources, AProblemIsAskedSolvedAndEnded) {
  const ProblemSource source(recipe_, words());
  const Tokenizer tokenizer = Tokenizer::from_directory(words());
  ProblemOptions options;
  options.seed = 9;
  const Problem problem = make_problem(options, 4);
  const TrainingText text = source.text(4, 1000);
  const std::string prompt =
      "<|im_start|>user\n" + problem.question + "<|im_end|>\n<|im_start|>assistant\n<think>\n";
  EXPECT_EQ(text.id, problem.id);
  EXPECT_EQ(tokenizer.decode(text.ids), prompt + solution_text(problem) + "<|im_end|>");
  EXPECT_EQ(tokenizer.decode(std::span(text.ids).first(text.loss_start)), prompt);
  EXPECT_EQ(text.ids.back(), tokenizer.find("<|im_end|>"));
}

TEST_F(TextSources, TheQuestionIsLearnedWhereTheRecipeSaysSo) {
  recipe_.learn_question = true;
  EXPECT_EQ(ProblemSource(recipe_, words()).text(0, 0).loss_start, 0u);
}

TEST_F(TextSources, TheCurriculumMakesProblemsByTokensSeen) {
  recipe_.curriculum = {0.1, 1000};
  const ProblemSource source(recipe_, words());
  std::size_t early = 0, late = 0;
  for (std::uint64_t i = 0; i < 20; ++i) {
    early += source.text(i, 0).ids.size();
    late += source.text(i, 1000).ids.size();
  }
  EXPECT_LT(2 * early, late);
  EXPECT_DOUBLE_EQ(source.difficulty(500), 0.55);
}

TEST_F(TextSources, OnlyTheRecipesFamiliesAppear) {
  recipe_.families = {"passcode"};
  const ProblemSource source(recipe_, words());
  for (std::uint64_t i = 0; i < 10; ++i) {
    EXPECT_EQ(source.text(i, 0).id.rfind("passcode-train-9-", 0), 0u) << source.text(i, 0).id;
  }
}

TEST_F(TextSources, ATokenizerThatCannotAskIsRefused) {
  change_config("chat_template", "{{ messages[0].content }}");
  expect_error([&] { ProblemSource(recipe_, words()); }, ErrorKind::kInput,
               {"does not open a think block"});
  change_config("chat_template", "");
  expect_error([&] { ProblemSource(recipe_, words()); }, ErrorKind::kInput,
               {"has no chat template"});
}

TEST_F(TextSources, ShardsGoOnInTheNextFileAndFromTheStart) {
  const Vocabulary vocabulary{400, 5};
  write_token_shard(place_ / "a", vocabulary, std::vector<ShardText>{{{1, 2}, 1}, {{3, 4, 5}, 2}});
  write_token_shard(place_ / "b", vocabulary, std::vector<ShardText>{{{6, 7}, 1}});
  const std::vector<std::filesystem::path> files = {place_ / "a", place_ / "b"};
  const ShardSource source(files);
  EXPECT_EQ(source.text(1, 0).ids, (std::vector<std::int32_t>{3, 4, 5}));
  EXPECT_EQ(source.text(1, 0).loss_start, 2u);
  EXPECT_EQ(source.text(2, 0).ids, (std::vector<std::int32_t>{6, 7}));
  EXPECT_EQ(source.text(3, 0).ids, (std::vector<std::int32_t>{1, 2}));
  EXPECT_EQ(source.text(5, 0).id, "0 of " + (place_ / "b").string());
  const std::vector<std::filesystem::path> reversed = {place_ / "b", place_ / "a"};
  EXPECT_NE(source.fingerprint(), ShardSource(reversed).fingerprint());
}

TEST_F(TextSources, ShardsOfDifferentVocabulariesDoNotMix) {
  write_token_shard(place_ / "a", {400, 5}, std::vector<ShardText>{{{1, 2}, 1}});
  const std::vector<std::filesystem::path> files = {place_ / "a", place_ / "b"};
  for (const Vocabulary& other : {Vocabulary{400, 6}, Vocabulary{401, 5}}) {
    write_token_shard(place_ / "b", other, std::vector<ShardText>{{{1, 2}, 1}});
    expect_error([&] { const ShardSource source(files); }, ErrorKind::kInput,
                 {"/b", "another vocabulary", "/a"});
  }
}

TEST_F(TextSources, AllTextsOfShardsAreMeasured) {
  write_token_shard(place_ / "a", {400, 5},
                    std::vector<ShardText>{{{1, 2}, 1}, {{3, 4, 5, 6}, 2}, {{6, 7}, 1}});
  const std::vector<std::filesystem::path> files = {place_ / "a"};
  const ShardSource source(files);
  source.check({4, 4});
  expect_error(
      [&] {
        source.check({3, 9});
      },
      ErrorKind::kInput, {"1 of ", "4 tokens", "\"batch_tokens\""});
  expect_error(
      [&] {
        source.check({9, 3});
      },
      ErrorKind::kInput, {"1 of ", "4 tokens", "\"max_position_embeddings\", 3"});
}

TEST_F(TextSources, ProblemsAreMeasuredAtFullDifficulty) {
  recipe_.curriculum = {0.1, 1000};
  const ProblemSource source(recipe_, words());
  std::size_t early = 0;
  for (std::uint64_t i = 0; i < 200; ++i) early = std::max(early, source.text(i, 0).ids.size());
  source.check({100000, 100000});
  expect_error(
      [&] {
        source.check({100000, early});
      },
      ErrorKind::kInput, {"-train-9-", "max_position_embeddings"});
}

TEST_F(TextSources, TheFingerprintKnowsTheTexts) {
  const std::string before = ProblemSource(recipe_, words()).fingerprint();
  EXPECT_EQ(ProblemSource(recipe_, words()).fingerprint(), before);
  change_config("chat_template", "<|im_start|>ask {{ messages[0].content }}<think>\n");
  EXPECT_NE(ProblemSource(recipe_, words()).fingerprint(), before);
}

TEST_F(TextSources, AShardOfAProblemSourceReadsTheSame) {
  const ProblemSource problems(recipe_, words());
  std::vector<ShardText> texts;
  for (std::uint64_t i = 0; i < 3; ++i) {
    TrainingText text = problems.text(i, 0);
    texts.push_back({std::move(text.ids), text.loss_start});
  }
  write_token_shard(place_ / "a", problems.vocabulary(), texts);
  Recipe recipe;
  recipe.tokenizer = words();
  recipe.data.kind = DataKind::kShards;
  recipe.data.files = {place_ / "a"};
  const auto shards = make_source(recipe);
  EXPECT_EQ(shards->vocab_size(), problems.vocab_size());
  for (std::uint64_t i = 0; i < 3; ++i) {
    EXPECT_EQ(shards->text(i, 0).ids, problems.text(i, 0).ids);
    EXPECT_EQ(shards->text(i, 0).loss_start, problems.text(i, 0).loss_start);
  }
  const Vocabulary own = problems.vocabulary();
  for (const Vocabulary& other : {Vocabulary{own.size, 1}, Vocabulary{own.size + 1, own.hash}}) {
    write_token_shard(place_ / "a", other, texts);
    expect_error([&] { make_source(recipe); }, ErrorKind::kInput, {"another vocabulary", "words"});
  }
}

}  // namespace
}  // namespace laconic::train
