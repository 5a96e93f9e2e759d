// SPDX-License-Identifier: Apache-2.0
// The tool itself: killed without warning, told to stop, started twice.
#include <gtest/gtest.h>

#include <chrono>
#include <random>
#include <thread>

#include "base/file.h"
#include "child.h"
#include "data/bpe_trainer.h"
#include "data/token_shard.h"
#include "test_paths.h"
#include "text/tokenizer.h"
#include "train/checkpoint.h"

namespace laconic::train::test {
namespace {

using namespace std::chrono_literals;

class SlowResume : public ::testing::Test {
 protected:
  void SetUp() override {
    LACONIC_NEEDS(tool());
    BpeOptions words;
    words.vocab_size = 300;
    words.special_tokens = {"<|im_end|>"};
    BpeTrainer trainer(words);
    trainer.add("one two three four five six seven");
    write_file_atomic(place_ / "tokenizer.json", trainer.tokenizer_json());
    write_file_atomic(place_ / "tokenizer_config.json", R"({"eos_token": "<|im_end|>"})");
    const Tokenizer tokenizer = Tokenizer::from_directory(place_.path());
    std::mt19937 random(1);
    std::vector<ShardText> texts(50);
    for (ShardText& text : texts) {
      text.loss_start = 2;
      for (std::size_t i = 0; i < 10 + random() % 20; ++i) {
        text.ids.push_back(static_cast<std::int32_t>(random() % 50));
      }
    }
    write_token_shard(place_ / "texts.shard",
                      {tokenizer.vocab_size(), vocabulary_hash(tokenizer.data().tokens)}, texts);
    write_file_atomic(place_ / "recipe.json", R"({
      "name": "little", "tokenizer": ".", "batch_tokens": 128, "tokens": 120000,
      "model": {"model_type": "qwen3", "hidden_size": 32, "num_hidden_layers": 2,
                "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 16,
                "intermediate_size": 64, "max_position_embeddings": 64, "rope_theta": 10000.0,
                "rms_norm_eps": 1e-6, "tie_word_embeddings": true},
      "data": {"source": "shards", "files": ["texts.shard"]},
      "optimizer": {"name": "muon", "learning_rate": 0.01},
      "schedule": {"name": "cosine", "warmup_tokens": 1000},
      "checkpoint": {"every_seconds": 0.02}})");
  }

  Child start(const std::string& out) {
    return Child({"pretrain", (place_ / "recipe.json").string(), "--out", (place_ / out).string(),
                  "--threads", "2", "--device", "cpu"},
                 place_ / (out + ".err"));
  }
  std::string said(const std::string& out) { return read_file(place_ / (out + ".err")); }
  std::string weights(const std::string& out) {
    return read_file(place_.path() / out / "model/model.safetensors");
  }
  std::string newest(const std::string& out) {
    const auto files = checkpoint_files(place_ / out);
    return files.empty() ? std::string() : files[0].filename().string();
  }
  // Until the run has written one more checkpoint, or has ended.
  void await_progress(Child& child, const std::string& out) {
    const std::string before = newest(out);
    while (!child.ended() && newest(out) == before) std::this_thread::sleep_for(1ms);
  }

  laconic::test::TemporaryFolder place_;
};

TEST_F(SlowResume, KilledTenTimesItEndsWithTheBitsOfAnUndisturbedRun) {
  ASSERT_EQ(start("whole").wait(), 0) << said("whole");
  const auto seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  for (int kills = 0; kills < 10; ++kills) {
    Child child = start("killed");
    await_progress(child, "killed");
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 60000));
    ASSERT_FALSE(child.ended()) << "before kill " << kills << ": " << said("killed");
    child.signal(SIGKILL);
    EXPECT_EQ(child.wait(), -1);
  }
  ASSERT_EQ(start("killed").wait(), 0) << said("killed");
  EXPECT_NE(said("killed").find("going on from step"), std::string::npos);
  EXPECT_TRUE(weights("killed") == weights("whole"));
  EXPECT_EQ(newest("killed"), newest("whole"));
}

TEST_F(SlowResume, ToldToStopItWritesACheckpointAndEndsWell) {
  for (const int number : {SIGTERM, SIGINT}) {
    Child child = start("stopped");
    await_progress(child, "stopped");
    child.signal(number);
    EXPECT_EQ(child.wait(), 0);
    EXPECT_NE(said("stopped").find("stopped with a checkpoint"), std::string::npos)
        << said("stopped");
  }
}

TEST_F(SlowResume, TwoRunsDoNotShareAFolder) {
  Child first = start("shared");
  await_progress(first, "shared");
  Child second = start("shared");
  EXPECT_EQ(second.wait(), 2);
  EXPECT_NE(said("shared").find("in use by another process"), std::string::npos);
  first.signal(SIGTERM);
  EXPECT_EQ(first.wait(), 0);
}

TEST_F(SlowResume, ShardsOfAnotherVocabularyAreRefused) {
  write_token_shard(place_ / "texts.shard", {10, 1}, std::vector<ShardText>{{{1, 2, 3}, 1}});
  EXPECT_EQ(start("run").wait(), 1);
  EXPECT_NE(said("run").find("another vocabulary"), std::string::npos) << said("run");
}

}  // namespace
}  // namespace laconic::train::test
