// SPDX-License-Identifier: Apache-2.0
#include "model/checkpoint.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "checkpoint_files.h"
#include "expect_error.h"
#include "test_paths.h"

namespace laconic {
namespace {

namespace fs = std::filesystem;
using test::expect_error;
using test::make_tiny;
using test::read_json;
using test::TemporaryFolder;
using test::Tensors;

fs::path gguf_in(const fs::path& directory) {
  for (const auto& entry : fs::directory_iterator(directory)) {
    if (entry.path().extension() == ".gguf") return entry.path();
  }
  return {};
}

class Twins : public ::testing::TestWithParam<const char*> {};

TEST_P(Twins, DirectoryAndGgufHoldTheSameTensors) {
  const fs::path directory = test::shared_data() / GetParam();
  LACONIC_NEEDS(directory);
  const Checkpoint hf = Checkpoint::open(directory);
  const Checkpoint gguf = Checkpoint::open(gguf_in(directory));
  EXPECT_EQ(hf.format(), "safetensors");
  EXPECT_EQ(gguf.format(), "gguf");
  EXPECT_TRUE(hf.unused().empty());
  EXPECT_TRUE(gguf.unused().empty());

  const ModelConfig &a = hf.config(), &b = gguf.config();
  EXPECT_EQ(a.architecture, b.architecture);
  EXPECT_EQ(a.tied_head, b.tied_head);
  EXPECT_EQ(a.qkv_bias, b.qkv_bias);
  EXPECT_EQ(a.head_dim, b.head_dim);
  EXPECT_EQ(a.context, b.context);
  EXPECT_EQ(a.norm_eps, b.norm_eps);
  const RopeTable ta = rope_table(a.rope, a.head_dim), tb = rope_table(b.rope, b.head_dim);
  EXPECT_NEAR(ta.magnitude, tb.magnitude, 1e-12);
  for (std::size_t i = 0; i < ta.inverse_frequency.size(); ++i) {
    EXPECT_NEAR(ta.inverse_frequency[i] / tb.inverse_frequency[i], 1.0, 2e-7) << i;
  }

  ASSERT_EQ(hf.tensors().size(), gguf.tensors().size());
  for (std::size_t i = 0; i < hf.tensors().size(); ++i) {
    const TensorView &x = hf.tensors()[i], &y = gguf.tensors()[i];
    EXPECT_EQ(x.name, y.name);
    EXPECT_EQ(x.shape, y.shape);
    EXPECT_EQ(test::floats(x), test::floats(y)) << x.name;  // bf16 shards have an f32 twin
  }
}

INSTANTIATE_TEST_SUITE_P(Shared, Twins,
                         ::testing::Values("goldens/llama-linear", "goldens/llama3-rope",
                                           "goldens/qwen2-bias-untied", "goldens/qwen2-yarn",
                                           "goldens/qwen3-bf16-sharded",
                                           "goldens/qwen3-qknorm-tied", "models/stories260K"),
                         [](const auto& one) {
                           std::string name = fs::path(one.param).filename().string();
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(Checkpoint, OpensTheAdders) {
  for (const char* name : {"adder-qwen3-228", "adder-qwen3-146"}) {
    const fs::path directory = test::shared_data() / "models" / name;
    LACONIC_NEEDS(directory);
    const Checkpoint checkpoint = Checkpoint::open(directory);
    EXPECT_EQ(checkpoint.config().head_dim, 4u);
    EXPECT_EQ(checkpoint.config().vocab, 10u);
    EXPECT_EQ(checkpoint.config().rope.theta, 3.0);
    EXPECT_FALSE(checkpoint.tokenizer().has_value());
  }
}

TEST(Checkpoint, FindsTensorsByName) {
  const TemporaryFolder folder;
  make_tiny(folder / "m");
  const Checkpoint checkpoint = Checkpoint::open(folder / "m");
  ASSERT_NE(checkpoint.find("model.layers.2.mlp.down_proj.weight"), nullptr);
  EXPECT_EQ(checkpoint.find("model.layers.2.mlp.down_proj.weight")->shape,
            (std::vector<std::size_t>{64, 160}));
  EXPECT_EQ(checkpoint.find("lm_head.weight"), nullptr);  // tied
  EXPECT_EQ(checkpoint.find("model.layers.0.self_attn.q_proj.bias"), nullptr);
  EXPECT_EQ(checkpoint.tensors().size(), decoder_tensors(checkpoint.config()).size());
}

TEST(Checkpoint, AnExtraHeadOfATiedModelIsIgnoredAndListed) {
  const TemporaryFolder folder;
  make_tiny(folder / "m");
  Tensors tensors(folder / "m");
  TensorView head = tensors.at("model.embed_tokens.weight");
  head.name = "lm_head.weight";
  tensors.views.push_back(head);
  tensors.write(folder / "m");
  const Checkpoint checkpoint = Checkpoint::open(folder / "m");
  EXPECT_EQ(checkpoint.find("lm_head.weight"), nullptr);
  EXPECT_EQ(checkpoint.unused(), std::vector<std::string>{"lm_head.weight"});
}

TEST(Checkpoint, NamesTheTensorThatIsMissing) {
  const TemporaryFolder folder;
  make_tiny(folder / "m");
  Tensors tensors(folder / "m");
  tensors.at("model.layers.1.self_attn.k_norm.weight").name = "other";
  tensors.write(folder / "m");
  expect_error(ErrorKind::kInput, "model.layers.1.self_attn.k_norm.weight is missing",
               [&] { Checkpoint::open(folder / "m"); });
}

TEST(Checkpoint, NamesTheTensorOfAnotherShape) {
  const TemporaryFolder folder;
  make_tiny(folder / "m");
  Tensors tensors(folder / "m");
  TensorView& view = tensors.at("model.layers.0.mlp.up_proj.weight");
  std::swap(view.shape[0], view.shape[1]);
  tensors.write(folder / "m");
  expect_error(ErrorKind::kInput,
               "model.layers.0.mlp.up_proj.weight has shape [64, 160], but the config asks for "
               "[160, 64]",
               [&] { Checkpoint::open(folder / "m"); });
}

TEST(Checkpoint, AConfigThatAsksForMoreIsRefusedBeforeAnyUse) {
  const TemporaryFolder folder;
  make_tiny(folder / "m");
  Json config = read_json(folder / "m" / "config.json");
  config["vocab_size"] = 513;
  write_file_atomic(folder / "m" / "config.json", config.dump());
  expect_error(ErrorKind::kInput, "[513, 64]", [&] { Checkpoint::open(folder / "m"); });
  config["num_hidden_layers"] = 1024;
  config["vocab_size"] = 512;
  write_file_atomic(folder / "m" / "config.json", config.dump());
  expect_error(ErrorKind::kInput, "model.layers.3.", [&] { Checkpoint::open(folder / "m"); });
  write_file_atomic(folder / "m" / "config.json", "{\"model_type\":");
  expect_error(ErrorKind::kInput, "JSON", [&] { Checkpoint::open(folder / "m"); });
}

TEST(Checkpoint, AConfigThatCutsLayersOffIsRefused) {
  const TemporaryFolder folder;
  make_tiny(folder / "m");
  Json config = read_json(folder / "m" / "config.json");
  const auto layers = config["num_hidden_layers"].get<std::size_t>();
  config["num_hidden_layers"] = layers - 1;
  write_file_atomic(folder / "m" / "config.json", config.dump());
  expect_error(ErrorKind::kInput, "but the config says 2 layers, the last being 1",
               [&] { Checkpoint::open(folder / "m"); });
}

TEST(Checkpoint, ATokenBeyondTheEmbeddingIsRefusedWhenATextMayHoldIt) {
  const TemporaryFolder folder;
  make_tiny(folder / "m");
  Json tokenizer = read_json(folder / "m" / "tokenizer.json");
  const auto write = [&] {
    write_file_atomic(folder / "m" / "tokenizer.json", tokenizer.dump());
    return Checkpoint::open(folder / "m").tokenizer();
  };
  // Padding that a fine-tune added without a row for it: no plain text becomes it.
  tokenizer["added_tokens"].push_back({{"id", 513}, {"content", "<pad>"}, {"special", true}});
  EXPECT_TRUE(write());
  tokenizer["added_tokens"].push_back({{"id", 514}, {"content", "<foo>"}, {"special", false}});
  expect_error(ErrorKind::kInput, "reach 514 (\"<foo>\"), but the embedding has 512 rows", write);
}

TEST(Checkpoint, TokensThatNothingUsesMayLieBeyondTheEmbedding) {
  const TemporaryFolder folder;
  make_random_model(known_model("tiny"), folder / "m.gguf", DType::kF32, {}, 1);
  const GgufFile file(folder / "m.gguf");
  GgufMetadata metadata = file.metadata();
  auto& tokens = std::get<std::vector<std::string>>(metadata.at("tokenizer.ggml.tokens"));
  tokens.push_back("[PAD512]");
  std::vector<std::int64_t> types = *gguf_ints(metadata, "tokenizer.ggml.token_type");
  for (const bool used : {false, true}) {
    types.resize(512);
    types.push_back(used ? 4 : 5);
    metadata["tokenizer.ggml.token_type"] = types;
    std::vector<GgufTensorPlan> plans;
    for (const std::string& name : file.names()) {
      plans.push_back({name, file.tensor(name).type, file.tensor(name).shape});
    }
    write_gguf(folder / "n.gguf", metadata, plans, [&](std::size_t i) {
      const auto bytes = file.tensor(plans[i].name).bytes;
      return std::vector<std::byte>(bytes.begin(), bytes.end());
    });
    const Checkpoint checkpoint = Checkpoint::open(folder / "n.gguf");
    if (used) {
      expect_error(ErrorKind::kInput, "512 rows", [&] { checkpoint.tokenizer(); });
    } else {
      EXPECT_TRUE(checkpoint.tokenizer());
    }
  }
}

TEST(Checkpoint, SaysWhatADirectoryLacks) {
  const TemporaryFolder folder;
  expect_error(ErrorKind::kInput, "no such file", [&] { Checkpoint::open(folder / "nowhere"); });
  expect_error(ErrorKind::kInput, "no config.json", [&] { Checkpoint::open(folder.path()); });
  make_tiny(folder / "m");
  fs::rename(folder / "m" / "model.safetensors", folder / "weights");
  expect_error(ErrorKind::kInput, "no model.safetensors", [&] { Checkpoint::open(folder / "m"); });
  write_file_atomic(folder / "m" / "pytorch_model.bin", "x");
  expect_error(ErrorKind::kInput, "pytorch_model.bin", [&] { Checkpoint::open(folder / "m"); });
  expect_error(ErrorKind::kInput, "name the directory", [&] {
    fs::rename(folder / "weights", folder / "model.safetensors");
    Checkpoint::open(folder / "model.safetensors");
  });
}

TEST(Checkpoint, TruncatedWeightsAreRefused) {
  const TemporaryFolder folder;
  make_tiny(folder / "m");
  const fs::path weights = folder / "m" / "model.safetensors";
  fs::resize_file(weights, fs::file_size(weights) - 5);
  expect_error(ErrorKind::kInput, "model.safetensors", [&] { Checkpoint::open(folder / "m"); });
}

class Index : public ::testing::Test {
 protected:
  // A directory whose one file of weights is reached through an index.
  void SetUp() override {
    make_tiny(folder_ / "m");
    fs::rename(folder_ / "m" / "model.safetensors", folder_ / "m" / "part.safetensors");
    const SafetensorsFile part(folder_ / "m" / "part.safetensors");
    for (const std::string& name : part.names()) map_[name] = "part.safetensors";
  }
  void write(const Json& map) {
    write_file_atomic(folder_ / "m" / "model.safetensors.index.json",
                      Json{{"weight_map", map}}.dump());
  }
  void refused(const Json& map, const std::string& part) {
    write(map);
    expect_error(ErrorKind::kInput, part, [&] { Checkpoint::open(folder_ / "m"); });
  }
  TemporaryFolder folder_;
  Json map_ = Json::object();
};

TEST_F(Index, LeadsToShards) {
  write(map_);
  EXPECT_EQ(Checkpoint::open(folder_ / "m").tensors().size(), map_.size());
}

TEST_F(Index, NamesOnlyPlainFilesOfItsDirectory) {
  for (const char* name : {"../m/part.safetensors", "/etc/passwd", "", ".", "..", "a\\b"}) {
    Json map = map_;
    map["model.norm.weight"] = name;
    refused(map, "plain name");
  }
  Json map = map_;
  map["model.norm.weight"] = 3;
  refused(map, "file name");
  refused(Json::array(), "weight_map");
}

TEST_F(Index, SaysWhichShardOrTensorIsMissing) {
  Json map = map_;
  map["model.norm.weight"] = "gone.safetensors";
  refused(map, "gone.safetensors");
  map = map_;
  map.erase("model.norm.weight");
  refused(map, "model.norm.weight is missing");
  map = map_;
  map["model.norm.weight"] = "other.safetensors";
  write_safetensors(folder_ / "m" / "other.safetensors", {});
  refused(map, "model.norm.weight is missing from other.safetensors");
}

TEST(Checkpoint, ADirectoryWithOneGgufOpens) {
  const TemporaryFolder folder;
  fs::create_directory(folder / "d");
  make_random_model(known_model("tiny"), folder / "d" / "a.gguf", DType::kF32, {}, 1);
  EXPECT_EQ(Checkpoint::open(folder / "d").format(), "gguf");
  fs::copy_file(folder / "d" / "a.gguf", folder / "d" / "b.gguf");
  expect_error(ErrorKind::kInput, "2 .gguf files", [&] { Checkpoint::open(folder / "d"); });
}

TEST(TensorNames, HaveOneGgufNameEach) {
  EXPECT_EQ(gguf_tensor_name("model.layers.12.self_attn.o_proj.weight"),
            "blk.12.attn_output.weight");
  EXPECT_EQ(gguf_tensor_name("model.layers.0.self_attn.q_proj.bias"), "blk.0.attn_q.bias");
  EXPECT_EQ(gguf_tensor_name("model.norm.weight"), "output_norm.weight");
  for (const char* name : {"model.layers.0", "model.layers.", "model.layers.0.x.weight", ""}) {
    expect_error(ErrorKind::kInput, "no name in GGUF", [&] { gguf_tensor_name(name); });
  }
  for (const std::string& model : known_models()) {
    std::vector<std::string> names;
    for (const TensorSpec& spec : decoder_tensors(known_model(model))) {
      names.push_back(gguf_tensor_name(spec.name));
    }
    std::sort(names.begin(), names.end());
    EXPECT_EQ(std::adjacent_find(names.begin(), names.end()), names.end()) << model;
  }
}

}  // namespace
}  // namespace laconic
