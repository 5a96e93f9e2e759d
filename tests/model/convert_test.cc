// SPDX-License-Identifier: Apache-2.0
#include "model/convert.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <cstring>
#include <tuple>

#include "checkpoint_files.h"
#include "expect_error.h"
#include "kernels/quantize.h"
#include "model/rope_rows.h"
#include "test_paths.h"

namespace laconic {
namespace {

namespace fs = std::filesystem;
using test::expect_error;
using test::floats;
using test::TemporaryFolder;

// A llama with grouped heads, llama3 scaling and rows that no block divides (48).
ModelConfig small_llama() {
  ModelConfig config = known_model("llama-3.1-8b");
  config.name = "small";
  config.layers = 2;
  config.hidden = 64;
  config.intermediate = 48;
  config.heads = 4;
  config.kv_heads = 2;
  config.head_dim = 16;
  config.vocab = 300;
  return config;
}

void expect_same_tensors(const Checkpoint& a, const Checkpoint& b) {
  ASSERT_EQ(a.tensors().size(), b.tensors().size());
  for (std::size_t i = 0; i < a.tensors().size(); ++i) {
    EXPECT_EQ(a.tensors()[i].name, b.tensors()[i].name);
    EXPECT_EQ(floats(a.tensors()[i]), floats(b.tensors()[i])) << a.tensors()[i].name;
  }
}

TEST(WriteGguf, KeepsValuesAndConfigOfALlama) {
  const TemporaryFolder folder;
  make_random_model(small_llama(), folder / "hf", DType::kF32, {}, 7);
  const Checkpoint hf = Checkpoint::open(folder / "hf");
  const ConversionReport report = write_gguf_checkpoint(hf, folder / "a.gguf", DType::kF32);
  EXPECT_TRUE(report.kept.empty());
  EXPECT_EQ(report.bytes_out, report.bytes_in + 8 * sizeof(float));  // and the divisors
  const Checkpoint gguf = Checkpoint::open(folder / "a.gguf");
  expect_same_tensors(hf, gguf);
  const RopeTable a = rope_table(hf.config().rope, 16), b = rope_table(gguf.config().rope, 16);
  for (std::size_t i = 0; i < 8; ++i) {
    EXPECT_NEAR(a.inverse_frequency[i] / b.inverse_frequency[i], 1.0, 1e-7);
  }
  EXPECT_EQ(gguf.config().eos, hf.config().eos);
  EXPECT_EQ(gguf.config().name, "small");
  // And once more, from the GGUF: rows and divisors survive.
  write_gguf_checkpoint(gguf, folder / "b.gguf", DType::kF32);
  expect_same_tensors(hf, Checkpoint::open(folder / "b.gguf"));
  EXPECT_EQ(read_file(folder / "a.gguf"), read_file(folder / "b.gguf"));
}

TEST(WriteGguf, StoresLlamaRowsInterleaved) {
  const TemporaryFolder folder;
  make_random_model(small_llama(), folder / "hf", DType::kF32, {}, 7);
  const Checkpoint hf = Checkpoint::open(folder / "hf");
  write_gguf_checkpoint(hf, folder / "a.gguf", DType::kF32);
  const GgufFile file(folder / "a.gguf");
  const std::vector<float> stored = floats(file.tensor("blk.0.attn_k.weight"));
  const std::vector<float> plain = floats(*hf.find("model.layers.0.self_attn.k_proj.weight"));
  // Head 1 (rows 16..31 of 64 columns), pair 3: rows 3 and 3 + 8 of the head become 6 and 7.
  for (std::size_t c = 0; c < 64; ++c) {
    EXPECT_EQ(stored[(16 + 6) * 64 + c], plain[(16 + 3) * 64 + c]);
    EXPECT_EQ(stored[(16 + 7) * 64 + c], plain[(16 + 11) * 64 + c]);
  }
}

TEST(WriteGguf, QuantisesRowByRowAndListsWhatItCannot) {
  const TemporaryFolder folder;
  make_random_model(small_llama(), folder / "hf", DType::kBF16, {}, 7);
  const Checkpoint hf = Checkpoint::open(folder / "hf");
  for (const DType type : {DType::kQ8_0, DType::kQ4_0}) {
    std::size_t last = 0, total = 0;
    const auto report =
        write_gguf_checkpoint(hf, folder / "q.gguf", type, [&](std::size_t done, std::size_t all) {
          EXPECT_GT(done, last);
          last = done;
          total = all;
        });
    EXPECT_EQ(last, total);
    EXPECT_EQ(report.kept,
              (std::vector<std::string>{"model.layers.0.mlp.down_proj.weight (bf16, 48 columns)",
                                        "model.layers.1.mlp.down_proj.weight (bf16, 48 columns)"}));
    const Checkpoint back = Checkpoint::open(folder / "q.gguf");
    for (const TensorView& tensor : back.tensors()) {
      const TensorView& from = *hf.find(tensor.name);
      if (tensor.shape.size() == 1) {
        EXPECT_EQ(tensor.type, DType::kF32);
        EXPECT_EQ(floats(tensor), floats(from));
        continue;
      }
      if (tensor.name.find("down_proj") != std::string::npos) {
        EXPECT_EQ(tensor.type, DType::kBF16);
        EXPECT_EQ(floats(tensor), floats(from));
        continue;
      }
      ASSERT_EQ(tensor.type, type) << tensor.name;
      const std::vector<float> values = floats(from);
      std::vector<std::byte> expected(tensor.bytes.size());
      const std::size_t cols = tensor.shape[1];
      for (std::size_t r = 0; r < tensor.shape[0]; ++r) {
        reference::quantize_row(type, values.data() + r * cols, cols,
                                expected.data() + r * row_bytes(type, cols));
      }
      EXPECT_EQ(std::memcmp(expected.data(), tensor.bytes.data(), expected.size()), 0)
          << tensor.name;
    }
    write_gguf_checkpoint(back, folder / "again.gguf", type);
    EXPECT_EQ(read_file(folder / "q.gguf"), read_file(folder / "again.gguf"));
  }
}

TEST(WriteGguf, RefusesWhatWouldBeLost) {
  const TemporaryFolder folder;
  make_random_model(known_model("tiny"), folder / "m.gguf", DType::kF32, {}, 1);
  const Checkpoint gguf = Checkpoint::open(folder / "m.gguf");
  expect_error(ErrorKind::kUsage, "model that is read",
               [&] { write_gguf_checkpoint(gguf, folder / "m.gguf", DType::kQ8_0); });
  expect_error(ErrorKind::kUsage, ".gguf",
               [&] { write_gguf_checkpoint(gguf, folder / "m.bin", DType::kQ8_0); });
  expect_error(ErrorKind::kResource, "nowhere", [&] {
    write_gguf_checkpoint(gguf, folder.path() / "nowhere" / "m.gguf", DType::kQ8_0);
  });
  ModelConfig biased = known_model("tiny");
  biased.qkv_bias = biased.o_bias = true;
  expect_error(ErrorKind::kInput, "biases",
               [&] { make_random_model(biased, folder / "b.gguf", DType::kF32, {}, 1); });
  ModelConfig bent = known_model("tiny");
  bent.rope.scaling = RopeConfig::Scaling::kLlama3;
  bent.rope.original_context = 64;
  expect_error(ErrorKind::kInput, "llama3",
               [&] { make_random_model(bent, folder / "b.gguf", DType::kF32, {}, 1); });
  EXPECT_FALSE(fs::exists(folder / "b.gguf"));
}

TEST(WriteGguf, LeavesEveryFileOfItsInputAlone) {
  const TemporaryFolder folder;
  make_random_model(known_model("tiny"), folder / "m.gguf", DType::kF32, {}, 1);
  const GgufFile whole(folder / "m.gguf");
  // The format has the writer set the split keys, so parts are made by patching their placeholders.
  const auto part = [&](std::size_t number) {
    GgufMetadata metadata;
    if (number == 0) metadata = whole.metadata();
    metadata["plits.no"] = std::uint64_t{number};
    metadata["plits.count"] = std::uint64_t{2};
    std::vector<GgufTensorPlan> plans;
    for (const std::string& name : whole.names()) {
      if ((name.rfind("blk.", 0) == 0) != (number == 1)) continue;
      plans.push_back({name, DType::kF32, whole.tensor(name).shape});
    }
    const fs::path path =
        folder / (number == 0 ? "s-00001-of-00002.gguf" : "s-00002-of-00002.gguf");
    write_gguf(path, metadata, plans, [&](std::size_t i) {
      const auto bytes = whole.tensor(plans[i].name).bytes;
      return std::vector<std::byte>(bytes.begin(), bytes.end());
    });
    std::string bytes = read_file(path);
    for (std::size_t at = 0; (at = bytes.find("plits.", at)) != std::string::npos;) {
      bytes.replace(at, 6, "split.");
    }
    write_file_atomic(path, bytes);
    return path;
  };
  const std::vector<fs::path> parts = {part(0), part(1)};
  for (const fs::path& opened : parts) {
    const Checkpoint in = Checkpoint::open(opened);
    EXPECT_EQ(in.files().size(), 2u);
    for (const fs::path& out : parts) {
      const std::string before = read_file(out);
      expect_error(ErrorKind::kUsage, "file of the model that is read",
                   [&] { write_gguf_checkpoint(in, out, DType::kF32); });
      EXPECT_EQ(read_file(out), before);
    }
  }
  // A shard of a directory that another name reaches.
  make_random_model(known_model("tiny"), folder / "hf", DType::kF32, {}, 1);
  fs::create_hard_link(folder / "hf" / "model.safetensors", folder / "hf" / "link.gguf");
  const Checkpoint hf = Checkpoint::open(folder / "hf");
  expect_error(ErrorKind::kUsage, "file of the model that is read",
               [&] { write_gguf_checkpoint(hf, folder / "hf" / "link.gguf", DType::kF32); });
}

TEST(WriteGguf, RefusesValuesThatAreNoNumbers) {
  const TemporaryFolder folder;
  const std::string matrix = "model.layers.1.mlp.up_proj.weight", norm = "model.norm.weight";
  for (const auto& [name, value, type] :
       {std::tuple<std::string, float, DType>{matrix, std::nanf(""), DType::kQ8_0},
        {matrix, std::nanf(""), DType::kF32},
        {matrix, -INFINITY, DType::kBF16},
        {matrix, 70000.0f, DType::kF16},
        {matrix, 1e7f, DType::kQ8_0},
        {norm, INFINITY, DType::kQ4_0}}) {
    fs::remove_all(folder / "m");
    test::make_tiny(folder / "m");
    test::Tensors tensors(folder / "m");
    for (std::size_t i = 0; i < tensors.views.size(); ++i) {
      if (tensors.views[i].name != name) continue;
      std::memcpy(tensors.owned[i].data() + 8, &value, sizeof value);
    }
    tensors.write(folder / "m");
    const Checkpoint in = Checkpoint::open(folder / "m");
    expect_error(ErrorKind::kInput, "the tensor " + name + " holds ",
                 [&, to = type] { write_gguf_checkpoint(in, folder / "out.gguf", to); });
    EXPECT_FALSE(fs::exists(folder / "out.gguf"));
  }
}

TEST(WriteGguf, SaysThatATokenizerIsMissing) {
  const TemporaryFolder folder;
  test::make_tiny(folder / "m");
  const auto notes = [&] {
    return write_gguf_checkpoint(Checkpoint::open(folder / "m"), folder / "m.gguf", DType::kQ8_0)
        .notes;
  };
  EXPECT_TRUE(notes().empty());
  fs::remove(folder / "m" / "tokenizer.json");
  ASSERT_EQ(notes().size(), 1u);
  EXPECT_THAT(notes()[0], ::testing::HasSubstr("no tokenizer"));
}

TEST(WriteGguf, AMadeModelIsTheSameBothWays) {
  const TemporaryFolder folder;
  ModelConfig config = known_model("tiny");
  make_random_model(config, folder / "hf", DType::kF32, {}, 4);
  make_random_model(config, folder / "made.gguf", DType::kQ8_0, {}, 4);
  write_gguf_checkpoint(Checkpoint::open(folder / "hf"), folder / "converted.gguf", DType::kQ8_0);
  const GgufFile made(folder / "made.gguf"), converted(folder / "converted.gguf");
  for (const auto& [key, value] : made.metadata()) {
    ASSERT_TRUE(converted.metadata().count(key)) << key;
    EXPECT_TRUE(converted.metadata().at(key) == value) << key;
  }
  EXPECT_EQ(read_file(folder / "made.gguf"), read_file(folder / "converted.gguf"));
}

TEST(WriteGguf, KeepsBiasesOfALlama) {
  const TemporaryFolder folder;
  ModelConfig config = small_llama();
  config.qkv_bias = config.o_bias = true;
  make_random_model(config, folder / "hf", DType::kF32, {}, 3);
  const Checkpoint hf = Checkpoint::open(folder / "hf");
  ASSERT_NE(hf.find("model.layers.1.self_attn.o_proj.bias"), nullptr);
  write_gguf_checkpoint(hf, folder / "a.gguf", DType::kF32);
  const Checkpoint gguf = Checkpoint::open(folder / "a.gguf");
  EXPECT_TRUE(gguf.config().qkv_bias && gguf.config().o_bias);
  expect_same_tensors(hf, gguf);
}

TEST(WriteGguf, MakesTheTwinOfStories) {
  const fs::path stories = test::shared_data() / "models" / "stories260K";
  LACONIC_NEEDS(stories);
  const TemporaryFolder folder;
  const Checkpoint hf = Checkpoint::open(stories);
  write_gguf_checkpoint(hf, folder / "s.gguf", DType::kF32);
  const GgufFile ours(folder / "s.gguf"), theirs(stories / "stories260K-f32.gguf");
  for (const std::string& name : theirs.names()) {
    EXPECT_EQ(floats(ours.tensor(name)), floats(theirs.tensor(name))) << name;
  }
  for (const auto& [key, value] : theirs.metadata()) {
    if (key == "general.name" || key == "tokenizer.ggml.scores") continue;
    ASSERT_TRUE(ours.metadata().count(key)) << key;
    EXPECT_TRUE(ours.metadata().at(key) == value) << key;
  }
}

RC_GTEST_PROP(RopeRows, SeparatingUndoesInterleaving, ()) {
  const auto heads = *rc::gen::inRange<std::size_t>(1, 5);
  const auto half = *rc::gen::inRange<std::size_t>(1, 9);
  const auto row = *rc::gen::inRange<std::size_t>(1, 40);
  std::vector<std::byte> bytes(heads * 2 * half * row);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i * 131 % 251);
  const auto there = interleave_rows(bytes, heads, 2 * half);
  RC_ASSERT(separate_rows(there, heads, 2 * half) == bytes);
  RC_ASSERT(half == 1 || there != bytes);
}

}  // namespace
}  // namespace laconic
