// SPDX-License-Identifier: Apache-2.0
// What the tool refuses before it works: one sentence on stderr and an exit code.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "base/json.h"
#include "child.h"
#include "data/token_shard.h"
#include "data/vocabulary_folder.h"
#include "test_paths.h"

namespace laconic::train::test {
namespace {

using ::testing::HasSubstr;

class SlowTool : public ::testing::Test {
 protected:
  void SetUp() override {
    LACONIC_NEEDS(tool());
    write_vocabulary_folder(place_ / "words", BpeTrainer(chat_vocabulary(300)).tokenizer_json());
    write_recipe({{"source", "problems"}});
  }

  void write_recipe(const Json& data) {
    const Json recipe = {{"name", "little"},
                         {"tokenizer", "words"},
                         {"tokens", 1000},
                         {"model", {{"model_type", "qwen3"}}},
                         {"data", data},
                         {"optimizer", {{"name", "muon"}, {"learning_rate", 0.01}}},
                         {"schedule", {{"name", "cosine"}}}};
    write_file_atomic(place_ / "recipe.json", recipe.dump());
  }

  int run(const std::vector<std::string>& arguments) {
    fs::remove(place_ / "errors");
    return Child(arguments, place_ / "errors").wait();
  }
  int shards(const std::string& texts, const std::string& out = "a.shard") {
    return run(
        {"shards", (place_ / "recipe.json").string(), "-n", texts, "-o", (place_ / out).string()});
  }
  std::string said() { return read_file(place_ / "errors"); }

  laconic::test::TemporaryFolder place_;
};

TEST_F(SlowTool, ShardsOfProblemsAreWritten) {
  ASSERT_EQ(shards("3"), 0) << said();
  EXPECT_EQ(TokenShard(place_ / "a.shard").texts(), 3u);
}

TEST_F(SlowTool, ShardsOfShardsAreRefused) {
  write_recipe({{"source", "shards"}, {"files", {"a.shard"}}});
  EXPECT_EQ(shards("3"), 2);
  EXPECT_THAT(said(), HasSubstr("\"data.source\" must be \"problems\""));
}

TEST_F(SlowTool, NumbersFilesAndFoldersAreNamed) {
  EXPECT_EQ(shards("0"), 2);
  EXPECT_THAT(said(), HasSubstr("-n"));
  EXPECT_EQ(shards("3", "absent/a.shard"), 1);
  EXPECT_THAT(said(), HasSubstr("absent/a.shard"));
  fs::remove(place_ / "words/tokenizer.json");
  EXPECT_EQ(shards("3"), 1);
  EXPECT_THAT(said(), HasSubstr("words"));
  EXPECT_EQ(run({"shards", (place_ / "none.json").string(), "-n", "3", "-o", "x"}), 1);
  EXPECT_THAT(said(), HasSubstr("none.json"));
}

}  // namespace
}  // namespace laconic::train::test
