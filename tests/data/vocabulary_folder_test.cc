// SPDX-License-Identifier: Apache-2.0
#include "data/vocabulary_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "test_paths.h"
#include "text/chat_template.h"
#include "text/reasoning.h"
#include "text/tokenizer.h"

namespace laconic {
namespace {

using ::testing::HasSubstr;
using Messages = std::vector<std::pair<std::string, std::string>>;  // role, content

std::string learned(const BpeOptions& options) {
  BpeTrainer trainer(options);
  trainer.add("Ann has 12 coins and Ben has 7 coins.");
  return trainer.tokenizer_json();
}

std::string rendered(const Messages& messages, bool generation_prompt = true) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const auto& [role, content] : messages) {
    list.push_back({{"role", role}, {"content", content}});
  }
  return ChatTemplate(chat_vocabulary_template())
      .render({{"messages", list}, {"add_generation_prompt", generation_prompt}});
}

void expect_refused(ErrorKind kind, const std::string& part, const std::function<void()>& action) {
  try {
    action();
    ADD_FAILURE() << "accepted; expected " << part;
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    EXPECT_THAT(error.what(), HasSubstr(part));
  }
}

TEST(VocabularyFolder, IsReadAsATokenizerThatEndsItsTurn) {
  test::TemporaryFolder folder;
  const auto directory = folder.path() / "made";
  write_vocabulary_folder(directory, learned(chat_vocabulary(400)));
  const Tokenizer tokenizer = Tokenizer::from_directory(directory);
  const TokenId last = static_cast<TokenId>(tokenizer.vocab_size()) - 1;
  EXPECT_EQ(tokenizer.find("</think>"), last);
  EXPECT_EQ(tokenizer.find("<think>"), last - 1);
  EXPECT_EQ(tokenizer.find("<|im_end|>"), last - 2);
  EXPECT_EQ(tokenizer.find("<|endoftext|>"), last - 4);
  EXPECT_EQ(tokenizer.data().eos, tokenizer.find("<|im_end|>"));
  EXPECT_EQ(tokenizer.data().pad, tokenizer.find("<|endoftext|>"));
  EXPECT_TRUE(tokenizer.is_end(tokenizer.find("<|im_end|>")));
  EXPECT_TRUE(tokenizer.is_end(tokenizer.find("<|endoftext|>")));
  EXPECT_TRUE(tokenizer.is_special(last - 2));
  EXPECT_FALSE(tokenizer.is_special(last));
  EXPECT_EQ(tokenizer.encode("12").size(), 2u);  // no token before or after
  EXPECT_EQ(tokenizer.data().chat_template, chat_vocabulary_template());
  const Json generation =
      parse_json(read_file(directory / "generation_config.json"), "generation_config.json");
  EXPECT_EQ(generation["do_sample"], false);
  EXPECT_EQ(generation["eos_token_id"], Json({last - 2, last - 4}));
}

TEST(VocabularyFolder, PromptOpensTheThinkBlock) {
  const std::string prompt = rendered({{"system", "Be brief."}, {"user", "One and one?"}});
  EXPECT_EQ(prompt,
            "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nOne and one?<|im_end|>\n"
            "<|im_start|>assistant\n<think>\n");
  EXPECT_TRUE(prompt_opens_reasoning(prompt));
  EXPECT_EQ(rendered({{"user", "Hi"}}, false), "<|im_start|>user\nHi<|im_end|>\n");
}

TEST(VocabularyFolder, EarlierAnswersGoBackWithoutTheirThinking) {
  const std::string end = "<|im_end|>\n<|im_start|>assistant\n<think>\n";
  const std::string begin = "<|im_start|>assistant\n";
  EXPECT_EQ(rendered({{"assistant", "<think>\nOne.\n</think>\n\nTwo."}}), begin + "Two." + end);
  // The template itself opened the block, so that the answer's text begins inside it.
  EXPECT_EQ(rendered({{"assistant", "One.\n</think>\n\nTwo."}}), begin + "Two." + end);
  EXPECT_EQ(rendered({{"assistant", "Two."}}), begin + "Two." + end);
  EXPECT_EQ(rendered({{"user", "</think>\nTwo."}}), "<|im_start|>user\n</think>\nTwo." + end);
}

TEST(VocabularyFolder, RefusesAFolderWithAVocabulary) {
  test::TemporaryFolder folder;
  const std::string json = learned(chat_vocabulary(300));
  write_vocabulary_folder(folder.path(), json);  // an empty folder is welcome
  EXPECT_EQ(read_file(folder.path() / "tokenizer.json"), json);
  expect_refused(ErrorKind::kInput, "tokenizer.json exists",
                 [&] { write_vocabulary_folder(folder.path(), json); });
  expect_refused(ErrorKind::kInput, "there is no folder",
                 [&] { write_vocabulary_folder(folder.path() / "a" / "b", json); });
  expect_refused(ErrorKind::kInput, "not a folder",
                 [&] { write_vocabulary_folder(folder.path() / "tokenizer.json", json); });
}

TEST(VocabularyFolder, RefusesAVocabularyThatCannotChat) {
  test::TemporaryFolder folder;
  expect_refused(ErrorKind::kUsage, "<|im_start|>", [&] {
    write_vocabulary_folder(folder.path() / "made", learned({300, {"<|im_end|>"}, {}}));
  });
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "made"));
}

}  // namespace
}  // namespace laconic
