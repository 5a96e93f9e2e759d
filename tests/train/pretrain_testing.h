// SPDX-License-Identifier: Apache-2.0
// A training run of a few seconds, for the tests of what may happen to one.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "io/safetensors.h"
#include "test_paths.h"
#include "train/checkpoint.h"
#include "train/pretrain.h"

namespace laconic::train::test {

namespace fs = std::filesystem;
using laconic::test::TemporaryFolder;

// Texts that count upwards: learnt in a few steps.
class CountingSource : public TextSource {
 public:
  explicit CountingSource(std::string fingerprint = "counting")
      : fingerprint_(std::move(fingerprint)) {}
  TrainingText text(std::uint64_t index, std::uint64_t) const override {
    if (index == broken_) throw_input("the text {} is broken", index);
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
  void break_at(std::optional<std::uint64_t> index) { broken_ = index; }

 private:
  std::string fingerprint_;
  std::optional<std::uint64_t> broken_;
};

inline Json little_recipe() {
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

inline Json checkpoint_every_step() {
  Json recipe = little_recipe();
  recipe["checkpoint"]["every_seconds"] = 1e-6;
  return recipe;
}

class Pretrain : public ::testing::Test {
 protected:
  Pretrain() {
    fs::create_directories(place_ / "words");
    write_file_atomic(place_ / "words/tokenizer.json", "{}");
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

}  // namespace laconic::train::test
