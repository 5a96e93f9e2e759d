// SPDX-License-Identifier: Apache-2.0
// Files that are damaged and memory that is short: one sentence, exit code 1 (2 for a prompt that
// is too long), and nothing half-written.
#include <gtest/gtest.h>

#include <bit>
#include <cstring>
#include <filesystem>

#include "base/file.h"
#include "test_paths.h"
#include "tool.h"

namespace laconic::test {
namespace {

class BadInput : public ::testing::Test {
 protected:
  void SetUp() override { make_tiny(folder_ / "tiny"); }

  std::filesystem::path file(const std::string& name) const {
    return folder_.path() / "tiny" / name;
  }
  std::filesystem::path weights() const { return file("model.safetensors"); }

  // Runs with every output asked for, and checks that none was begun.
  void refuses(int code, const std::string& part, std::vector<std::string> more = {}) const {
    const std::string logits = folder_ / "logits.safetensors", trace = folder_ / "trace.jsonl";
    std::vector<std::string> all = {"run",         "-m",     folder_ / "tiny", "-n",
                                    "4",           "--json", "--logits-out",   logits,
                                    "--kv-policy", "rpc",    "--kv-trace",     trace};
    if (more.empty()) more = {"--ids", "1,2,3"};
    all.insert(all.end(), more.begin(), more.end());
    expect_refusal(run_tool(all), code, part);
    EXPECT_FALSE(std::filesystem::exists(logits));
  }

  TemporaryFolder folder_;
};

TEST_F(BadInput, MissingFiles) {
  expect_refusal(run_tool({"run", "-m", folder_ / "nowhere", "-p", "x"}), 1, "nowhere");
  expect_refusal(run_tool({"run", "-m", folder_ / "no.gguf", "-p", "x"}), 1, "no.gguf");
  expect_refusal(run_tool({"inspect", folder_ / "nowhere"}), 1, "nowhere");
  expect_refusal(run_tool({"bench", "-m", folder_ / "nowhere"}), 1, "nowhere");
  expect_refusal(run_tool({"tokenize", folder_ / "nowhere", "-p", "x"}), 1, "nowhere");
  expect_refusal(run_tool({"quantize", folder_ / "nowhere", folder_ / "o.gguf", "--type", "f16"}),
                 1, "nowhere");
  EXPECT_FALSE(std::filesystem::exists(folder_ / "o.gguf"));
  refuses(1, "missing.txt", {"-f", folder_ / "missing.txt"});
  std::filesystem::remove(weights());
  refuses(1, "safetensors");
}

TEST_F(BadInput, TruncatedWeights) {
  std::filesystem::resize_file(weights(), std::filesystem::file_size(weights()) / 2);
  refuses(1, "model.safetensors");
}

TEST_F(BadInput, AbsurdHeaderLength) {
  std::string bytes = read_file(weights());
  std::memset(bytes.data(), 0xff, 8);
  write_file_atomic(weights(), bytes);
  refuses(1, "header");
}

TEST_F(BadInput, UnsupportedElementType) {
  std::string bytes = read_file(weights());
  const auto place = bytes.find("\"F32\"");
  ASSERT_NE(place, std::string::npos);
  bytes.replace(place, 5, "\"I32\"");
  write_file_atomic(weights(), bytes);
  refuses(1, "I32");
}

TEST_F(BadInput, WeightsThatAreNotNumbers) {
  std::string bytes = read_file(weights());
  std::uint64_t header = 0;
  std::memcpy(&header, bytes.data(), 8);
  const Json tensors = Json::parse(bytes.substr(8, header));
  const Json& range = tensors["model.layers.1.mlp.down_proj.weight"]["data_offsets"];
  const float nan = std::bit_cast<float>(0x7fc00000u);
  for (std::size_t at = range[0].get<std::size_t>(); at < range[1].get<std::size_t>(); at += 4) {
    std::memcpy(bytes.data() + 8 + header + at, &nan, 4);
  }
  write_file_atomic(weights(), bytes);
  refuses(1, "layer 1");
}

TEST_F(BadInput, TokenizerWithoutVocabulary) {
  write_file_atomic(file("tokenizer.json"), R"({"model": {"type": "BPE", "merges": []}})");
  refuses(1, "tokenizer.json", {"-p", "x"});
  expect_refusal(run_tool({"tokenize", folder_ / "tiny", "-p", "x"}), 1, "tokenizer.json");
}

TEST_F(BadInput, PromptLongerThanTheContext) {
  refuses(2, "8", {"--ids", "1,2,3,4,5,6,7,8,9", "-c", "8"});
}

TEST_F(BadInput, UnknownTokenIds) {
  refuses(2, "512", {"--ids", "1,512"});
  refuses(2, "-1", {"--ids", "-1"});
  expect_refusal(run_tool({"run", "-m", folder_ / "tiny", "--ids", "1", "--force-ids", "600"}), 2,
                 "600");
}

TEST_F(BadInput, PoolTooSmallForThePrompt) {
  std::string ids = "1";
  for (int i = 0; i < 64; ++i) ids += ",2";
  // 65 rows are two pages of 64 rows in each of 3 layers and 2 KV heads.
  refuses(1, "96 KiB", {"--ids", ids, "--kv-memory", "64K"});
}

TEST_F(BadInput, PoolTooSmallForTheAnswerEndsWithKvFull) {
  const Outcome outcome = run_tool({"run", "-m", folder_ / "tiny", "--ids", "1,2,3", "-n", "200",
                                    "--ignore-eos", "--kv-memory", "48K", "--json"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.json()["finish_reason"], "kv_full");
  EXPECT_EQ(outcome.json()["kv"]["peak_rows"], 64);
}

TEST_F(BadInput, OutputFolderThatDoesNotExist) {
  const std::string nowhere = folder_ / "nowhere/out";
  for (const char* flag : {"--logits-out", "--kv-trace"}) {
    expect_refusal(run_tool({"run", "-m", folder_ / "tiny", "--ids", "1", flag, nowhere}), 1,
                   "nowhere");
  }
  expect_refusal(run_tool({"make-model", "--like", "tiny", "--out", nowhere + ".gguf"}), 1,
                 "nowhere");
}

}  // namespace
}  // namespace laconic::test
