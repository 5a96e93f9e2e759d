// SPDX-License-Identifier: Apache-2.0
// What tells models and settings apart in a sample file.
#include "engine/model_fingerprint.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <set>
#include <string>

#include "base/file.h"
#include "eval/eval_testing.h"
#include "eval/settings.h"
#include "model/convert.h"
#include "test_paths.h"

namespace laconic::test {
namespace {

TEST(Fingerprint, TellsModelsApart) {
  EXPECT_EQ(model_fingerprint(tiny_model()), model_fingerprint(random_model(7)));
  EXPECT_NE(model_fingerprint(tiny_model()), model_fingerprint(random_model(8)));
  EXPECT_EQ(model_fingerprint(tiny_model()).size(), 16u);
}

TEST(Fingerprint, SeesHowPositionsAreTurned) {
  const TemporaryFolder folder;
  make_random_model(known_model("tiny"), folder / "tiny", DType::kF32, {}, /*seed=*/7);
  const auto path = folder / "tiny/config.json";
  const Json plain = Json::parse(read_file(path));
  std::set<std::string> seen = {model_fingerprint(Model::open(folder / "tiny"))};
  const auto with = [&](const Json& scaling) {
    Json config = plain;
    config["rope_scaling"] = scaling;
    write_file_atomic(path, config.dump());
    return model_fingerprint(Model::open(folder / "tiny"));
  };
  const Json llama3 = {{"rope_type", "llama3"},
                       {"factor", 8.0},
                       {"low_freq_factor", 1.0},
                       {"high_freq_factor", 4.0},
                       {"original_max_position_embeddings", 64}};
  const Json yarn = {{"rope_type", "yarn"},
                     {"factor", 8.0},
                     {"beta_fast", 32.0},
                     {"beta_slow", 1.0},
                     {"original_max_position_embeddings", 64}};
  seen.insert(with({{"rope_type", "linear"}, {"factor", 8.0}}));
  seen.insert(with(llama3));
  seen.insert(with(yarn));
  for (const char* name :
       {"low_freq_factor", "high_freq_factor", "original_max_position_embeddings"}) {
    Json other = llama3;
    other[name] = other[name].is_number_integer() ? Json(128) : Json(other[name].get<double>() * 2);
    seen.insert(with(other));
  }
  for (const char* name : {"beta_fast", "beta_slow", "attention_factor"}) {
    Json other = yarn;
    other[name] = 1.5;
    seen.insert(with(other));
  }
  EXPECT_EQ(seen.size(), 10u);
}

TEST(ArmSettings, NameTheIdsThatEndAnAnswer) {
  const TemporaryFolder folder;
  make_random_model(known_model("tiny"), folder / "tiny", DType::kF32, {}, /*seed=*/7);
  const Model before = Model::open(folder / "tiny");
  const auto path = folder / "tiny/config.json";
  Json config = Json::parse(read_file(path));
  config["eos_token_id"] = {42, 258};
  write_file_atomic(path, config.dump());
  const Model after = Model::open(folder / "tiny");
  ArmOptions arm = arm_of("full");
  const Json one = arm_settings(before, "", arm), other = arm_settings(after, "", arm);
  ASSERT_FALSE(one["eos"].empty());
  EXPECT_EQ(std::count(one["eos"].begin(), one["eos"].end(), 42), 0);
  EXPECT_EQ(std::count(other["eos"].begin(), other["eos"].end(), 42), 1);
  arm.generate.ignore_eos = true;
  EXPECT_EQ(arm_settings(before, "", arm), arm_settings(after, "", arm));
}

TEST(Fingerprint, SeesOneMatrix) {
  const TemporaryFolder folder;
  make_random_model(known_model("tiny"), folder / "tiny", DType::kF32, {}, /*seed=*/7);
  const auto path = folder / "tiny/model.safetensors";
  const std::string before = model_fingerprint(Model::open(folder / "tiny"));
  std::string bytes = read_file(path);
  std::uint64_t header = 0;
  std::memcpy(&header, bytes.data(), sizeof header);
  const Json tensors = Json::parse(bytes.substr(sizeof header, header));
  const Json offsets = tensors["model.layers.1.mlp.up_proj.weight"]["data_offsets"];
  bytes[sizeof header + header + offsets[0].get<std::size_t>()] ^= 1;
  write_file_atomic(path, bytes);
  EXPECT_NE(model_fingerprint(Model::open(folder / "tiny")), before);
}

}  // namespace
}  // namespace laconic::test
