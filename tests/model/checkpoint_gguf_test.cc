// SPDX-License-Identifier: Apache-2.0
// GGUF files whose tensors say something else than their metadata.
#include <gtest/gtest.h>

#include <functional>

#include "expect_error.h"
#include "model/checkpoint.h"
#include "model/convert.h"
#include "model/weights.h"
#include "test_paths.h"

namespace laconic {
namespace {

using test::expect_error;

// A small model, written again with other metadata or another list of tensors.
class GgufTensors : public ::testing::Test {
 protected:
  struct Extra {
    std::string name;
    std::size_t length;
  };
  void make(ModelConfig config) {
    make_random_model(config, folder_ / "m.gguf", DType::kF32, {}, 1);
  }
  static ModelConfig of(Architecture architecture) {
    ModelConfig config = known_model("tiny");
    config.architecture = architecture;
    config.qk_norm = architecture == Architecture::kQwen3;
    config.qkv_bias = architecture == Architecture::kQwen2;
    return config;
  }
  std::filesystem::path rewrite(const std::vector<Extra>& more,
                                const std::function<bool(const std::string&)>& leave_out = {},
                                const GgufMetadata& changed = {}) {
    const GgufFile file(folder_ / "m.gguf");
    GgufMetadata metadata = changed;
    metadata.insert(file.metadata().begin(), file.metadata().end());
    std::vector<GgufTensorPlan> plans;
    for (const std::string& name : file.names()) {
      if (leave_out && leave_out(name)) continue;
      plans.push_back({name, DType::kF32, file.tensor(name).shape});
    }
    const std::size_t own = plans.size();
    for (const Extra& one : more) plans.push_back({one.name, DType::kF32, {one.length}});
    write_gguf(folder_ / "n.gguf", metadata, plans, [&](std::size_t i) {
      if (i >= own) return std::vector<std::byte>(plans[i].shape[0] * sizeof(float));
      const auto bytes = file.tensor(plans[i].name).bytes;
      return std::vector<std::byte>(bytes.begin(), bytes.end());
    });
    return folder_ / "n.gguf";
  }
  void refused(const std::filesystem::path& path, const std::string& part) {
    expect_error(ErrorKind::kInput, part, [&] { Checkpoint::open(path); });
  }
  test::TemporaryFolder folder_;
};

TEST_F(GgufTensors, ThatNothingReadsAreRefused) {
  make(of(Architecture::kLlama));
  for (const char* name : {"blk.0.ffn_up.bias", "blk.1.attn_q.scale", "blk.0.attn_sub_norm.weight",
                           "output.bias", "token_embd_norm.weight", "rope_factors_long.weight"}) {
    refused(rewrite({{name, 64}}), std::string(name) + "\" is no part of a llama model");
  }
}

TEST_F(GgufTensors, OfTheRotationAreLeftAlone) {
  make(of(Architecture::kLlama));
  const Checkpoint checkpoint = Checkpoint::open(rewrite({{"blk.0.attn_rot_embd.weight", 16}}));
  EXPECT_EQ(checkpoint.unused(), std::vector<std::string>{"blk.0.attn_rot_embd.weight"});
}

TEST_F(GgufTensors, BeyondTheLastLayerAreRefused) {
  make(of(Architecture::kQwen3));
  refused(rewrite({}, {}, {{"qwen3.block_count", std::uint64_t{2}}}),
          "but the config says 2 layers, the last being 1");
}

TEST_F(GgufTensors, ABiasOfOneLayerIsAskedOfAll) {
  make(of(Architecture::kLlama));
  refused(rewrite({{"blk.1.attn_k.bias", 64}}), "blk.0.attn_q.bias is missing");
  refused(rewrite({{"blk.2.attn_output.bias", 64}}), "blk.0.attn_output.bias is missing");
}

TEST_F(GgufTensors, Qwen2HasBiases) {
  make(of(Architecture::kQwen2));
  EXPECT_TRUE(Checkpoint::open(rewrite({})).config().qkv_bias);
  const auto bias = [](const std::string& name) { return name.ends_with(".bias"); };
  refused(rewrite({}, bias), "blk.0.attn_q.bias is missing");
}

// The rows of q and k that were put in order are copies; a loader that has made its own gives them
// back.
TEST_F(GgufTensors, ReorderedRowsAreGivenBackOncePacked) {
  make_random_model(of(Architecture::kLlama), folder_ / "q.gguf", DType::kQ8_0, {}, 1);
  Checkpoint checkpoint = Checkpoint::open(folder_ / "q.gguf");
  const std::string q = "model.layers.0.self_attn.q_proj.weight";
  EXPECT_GT(checkpoint.reordered_bytes(), 0u);
  const Weights weights = load_weights(checkpoint);
  EXPECT_EQ(checkpoint.reordered_bytes(), 0u);
  EXPECT_TRUE(checkpoint.find(q)->bytes.empty());
  EXPECT_EQ(weights.mapped_bytes(),
            (weights.config.layers * 2 + 1) * weights.config.hidden * sizeof(float))
      << "only norms are not packed";
}

}  // namespace
}  // namespace laconic
