// SPDX-License-Identifier: Apache-2.0
// tokenize, inspect, make-model, quantize and kv replay on the smallest model.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <span>

#include "base/file.h"
#include "io/safetensors.h"
#include "model/convert.h"
#include "test_paths.h"
#include "tool.h"

namespace laconic::test {
namespace {

using ::testing::HasSubstr;

TEST(Tokenize, TextToIdsAndBack) {
  TemporaryFolder folder;
  const std::string directory = folder / "tiny", gguf = folder / "tiny.gguf";
  make_tiny(directory);
  make_tiny(gguf, "f16");
  const std::string text = "Two words,\n\tand 12 caf\xc3\xa9s \xf0\x9f\x98\x80";
  for (const std::string& model : {directory, gguf}) {
    const Outcome ids = run_tool({"tokenize", model, "-p", text, "--no-special"});
    ASSERT_EQ(ids.code, 0) << ids.err;
    ASSERT_TRUE(ids.json().is_array());
    EXPECT_EQ(run_tool({"tokenize", model, "--detokenize", "-p", ids.out}).out, text);
    EXPECT_EQ(run_tool({"tokenize", model, "--detokenize", "-f", "-"}, ids.out).out, text);
    EXPECT_EQ(run_tool({"tokenize", model, "-f", "-", "--no-special"}, text).out, ids.out);
  }
  // A directory with nothing but the tokenizer is enough.
  std::filesystem::remove(folder.path() / "tiny" / "config.json");
  std::filesystem::remove(folder.path() / "tiny" / "model.safetensors");
  EXPECT_EQ(run_tool({"tokenize", directory, "-p", text}).code, 0);

  expect_refusal(run_tool({"tokenize", directory}), 2, "-p TEXT");
  expect_refusal(run_tool({"tokenize", directory, "--ids", "1"}), 2, "--detokenize");
  expect_refusal(run_tool({"tokenize", directory, "--detokenize", "--ids", "1,x"}), 2, "1,x");
  expect_refusal(run_tool({"tokenize", directory, "--detokenize", "--ids", "99999"}), 2, "99999");
}

TEST(Tokenize, VocabularyOnlyGguf) {
  const auto vectors = shared_data() / "tokenizers" / "vectors";
  LACONIC_NEEDS(vectors);
  for (const auto& entry : std::filesystem::directory_iterator(vectors)) {
    const std::string name = entry.path().filename();
    if (entry.path().extension() != ".gguf" || name.find("bert") != std::string::npos) continue;
    const Outcome outcome = run_tool({"tokenize", entry.path(), "-p", "Hello world"});
    EXPECT_EQ(outcome.code, 0) << entry.path() << ": " << outcome.err;
    EXPECT_GE(outcome.json().size(), 2u);
  }
}

TEST(Inspect, AStepReadsAnEmbeddingOnlyWhereItIsTheHead) {
  const TemporaryFolder folder;
  ModelConfig config = known_model("tiny");
  for (const bool tied : {true, false}) {
    config.tied_head = tied;
    const std::string model = folder / (tied ? "tied" : "untied");
    make_random_model(config, model, DType::kF32, {}, /*seed=*/9);
    const Json j = run_tool({"inspect", model, "--json"}).json();
    const std::size_t embedding = tied ? 0 : config.vocab * config.hidden * sizeof(float);
    EXPECT_EQ(j["tied_head"], tied);
    EXPECT_EQ(j["bytes_per_step"].get<std::size_t>() + embedding, j["weight_bytes"]);
  }
}

TEST(Inspect, ModelAndPlan) {
  TemporaryFolder folder;
  const std::string model = folder / "tiny";
  make_tiny(model);
  const Json j = run_tool({"inspect", model, "--json", "--tensors"}).json();
  EXPECT_EQ(j["architecture"], "qwen3");
  EXPECT_EQ(j["layers"], 3);
  EXPECT_EQ(j["kv_bytes_per_token"]["f16"], 3 * 2 * 2 * 32 * 2);
  EXPECT_EQ(j["types"]["f32"]["tensors"], j["tensors"].size());
  EXPECT_EQ(j["tokenizer"]["chat_template"], true);

  const auto plan = [&](std::vector<std::string> more) {
    std::vector<std::string> all = {"inspect", model, "--json", "--plan", "-n",          "2000",
                                    "-p",      "100", "-b",     "4",      "--kv-memory", "4M"};
    all.insert(all.end(), more.begin(), more.end());
    return run_tool(all).json()["plan"];
  };
  const Json full = plan({});
  EXPECT_EQ(full["peak_rows"], 2099);  // the last token has no row
  EXPECT_EQ(full["peak_allocated_bytes"], 4 * 33 * 6 * 64 * 2 * 32 * 2);
  EXPECT_EQ(full["fits"], false);
  EXPECT_EQ(full["longest_answer"],
            21 * 64 - 100 + 1);  // 4 MiB hold 21 pages in each of 4 x 6 heads
  const Json rpc = plan({"--kv-policy", "rpc", "--kv-interval", "128", "--kv-ratio", "8"});
  EXPECT_EQ(rpc["fits"], true);
  EXPECT_EQ(rpc["full_allocated_bytes"], full["peak_allocated_bytes"]);

  const Json ran =
      run_tool({"run", "-m", model, "--ids", "1,2,3", "-n", "9", "--ignore-eos", "--json"}).json();
  const Json same = run_tool({"inspect", model, "--json", "--plan", "-n", "9", "-p", "3"}).json();
  EXPECT_EQ(same["plan"]["peak_rows"], ran["kv"]["peak_rows"]);

  // A default prompt makes room for the answer that was typed.
  EXPECT_EQ(run_tool({"inspect", model, "--json", "--plan", "-n", "4000"}).json()["plan"]["prompt"],
            96);
  expect_refusal(run_tool({"inspect", model, "--plan", "-n", "4000", "-p", "97"}), 2, "4096");

  const Outcome text = run_tool({"inspect", model, "--plan", "--kv-policy", "rpc"});
  EXPECT_EQ(text.code, 0);
  EXPECT_THAT(text.out, HasSubstr("longest answer"));
  expect_refusal(run_tool({"inspect", model, "--plan", "-n", "5000"}), 2, "4096");
  expect_refusal(run_tool({"inspect", model, "--kv-policy", "rpc"}), 2, "--plan");
  expect_refusal(run_tool({"inspect", model, "-n", "5"}), 2, "--plan");
  expect_refusal(run_tool({"inspect", model, "--system"}), 2, "--system");
}

TEST(Inspect, System) {
  const Json j = run_tool({"inspect", "--system", "--json", "-t", "1"}).json();
  ASSERT_TRUE(j.is_object());
  EXPECT_NE(j["simd"], "");
  EXPECT_EQ(j["threads"], 1);
  EXPECT_GT(j["read_bandwidth"].get<double>(), 1e8);
  EXPECT_THAT(j["simd_available"].get<std::vector<std::string>>(),
              ::testing::Contains(j["simd"].get<std::string>()));
}

TEST(Inspect, ANarrowTargetHasNoFeaturesOfAWiderOne) {
  const Json all = run_tool({"inspect", "--system", "--json", "-t", "1"}).json();
  for (const Json& target : all["simd_available"]) {
    const std::string name = target.get<std::string>();
    if (name.rfind("AVX3", 0) == 0) continue;
    const Json one = run_tool({"inspect", "--system", "--json", "-t", "1", "--simd", name}).json();
    EXPECT_EQ(one["simd"], name);
    EXPECT_TRUE(one["simd_features"].empty()) << name;
    return;  // each probes the memory
  }
}

// The signal can come too late for a model this small, so a few tries are allowed.
TEST(MakeModel, ASignalLeavesNoTemporaryFile) {
  for (const int signal : {SIGINT, SIGTERM}) {
    bool interrupted = false;
    for (int attempt = 0; attempt < 10 && !interrupted; ++attempt) {
      TemporaryFolder folder;
      ToolProcess process({"make-model", "--like", "qwen3-0.6b", "--out", folder / "m.gguf"});
      ::usleep(100000);
      process.send(signal);
      const Outcome outcome = process.finish();
      // Before the handler stands, the signal has its usual effect, and nothing is written yet.
      EXPECT_EQ(outcome.code, 128 + signal) << outcome.err;
      EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
      interrupted = outcome.err.find("interrupted") != std::string::npos;
    }
    EXPECT_TRUE(interrupted);
  }
}

TEST(MakeModel, SameSeedSameBytes) {
  TemporaryFolder folder;
  EXPECT_THAT(run_tool({"make-model", "--list"}).out, HasSubstr("qwen3-0.6b\n"));
  const auto make = [&](const std::string& name, const std::string& seed) {
    const Outcome made = run_tool(
        {"make-model", "--like", "tiny", "--out", folder / name, "--type", "q8_0", "--seed", seed});
    EXPECT_EQ(made.code, 0) << made.err;
    EXPECT_THAT(made.out, HasSubstr(name));
    return read_file(folder.path() / name);
  };
  const std::string first = make("a.gguf", "1");
  EXPECT_TRUE(make("b.gguf", "1") == first);
  EXPECT_FALSE(make("c.gguf", "2") == first);
  expect_refusal(
      run_tool({"make-model", "--like", "tiny", "--out", folder / "d", "--type", "q8_0"}), 2,
      ".gguf");
}

TEST(MakeModel, TakesKQuantsWhereBlocksFit) {
  TemporaryFolder folder;
  const auto make = [&](const std::string& type, const std::string& out) {
    return run_tool({"make-model", "--like", "tiny", "--out", folder / out, "--type", type});
  };
  expect_refusal(make("Q4_K_M", "m.gguf"), 2, "type q4_k_m needs rows that are a multiple of 256");
  expect_refusal(make("q6_k", "m.gguf"), 2, "type q6_k needs rows that are a multiple of 256");
  expect_refusal(make("q5_k", "m"), 2, "exists in GGUF only");
  expect_refusal(make("q3_k", "m.gguf"), 2, "q6_k or q4_k_m");
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(Quantize, KeepsTheGreedyAnswer) {
  TemporaryFolder folder;
  make_tiny(folder / "tiny");
  const auto ids = [&](const std::string& model) {
    return run_tool({"run", "-m", model, "--ids", "1,2,3", "-n", "8", "--ignore-eos", "--json"})
        .json()["ids"];
  };
  for (const char* type : {"f32", "f16", "bf16", "q8_0", "q4_0"}) {
    const std::string out = folder / (std::string(type) + ".gguf");
    const Outcome made = run_tool({"quantize", folder / "tiny", out, "--type", type});
    ASSERT_EQ(made.code, 0) << made.err;
    EXPECT_EQ(ids(out).size(), 8u) << type;
  }
  EXPECT_EQ(ids(folder / "f32.gguf"), ids(folder / "tiny"));
  expect_refusal(run_tool({"quantize", folder / "f32.gguf", folder / "f32.gguf", "--type", "f16"}),
                 2, "at once");
}

TEST(KvReplay, KeepsTheRowsThatTheQueryAttendsTo) {
  TemporaryFolder folder;
  const std::string path = folder / "t.safetensors";
  const std::vector<float> keys = {0, 1, 5, 2, 9, 0}, queries = {1};
  const auto view = [](const char* name, const std::vector<float>& values,
                       std::vector<std::size_t> shape) {
    return TensorView{name, DType::kF32, std::move(shape),
                      std::as_bytes(std::span<const float>(values))};
  };
  const std::vector<TensorView> tensors = {view("keys", keys, {1, 6, 1}),
                                           view("queries", queries, {1, 1, 1})};
  write_safetensors(path, tensors);
  const std::vector<std::string> command = {"kv",
                                            "replay",
                                            "--tensors",
                                            path,
                                            "--policy",
                                            "rpc",
                                            "--prompt-rows",
                                            "1",
                                            "--round",
                                            "0",
                                            "--window",
                                            "1",
                                            "--ratio",
                                            "2",
                                            "--pool",
                                            "none",
                                            "--kv-interval",
                                            "4"};
  const Outcome outcome = run_tool(command);
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const Json j = outcome.json();
  EXPECT_EQ(j["policy"], "rpc");
  EXPECT_EQ(j["kept"], (std::vector<std::vector<int>>{{0, 2, 4, 5}}));
  EXPECT_EQ(j["candidate_start"], 1);
  EXPECT_EQ(j["scores"][0].size(), 4u);
  EXPECT_EQ(j["options"]["interval"], 4);

  std::vector<std::string> null = command;
  null[5] = "random";
  null.erase(null.begin() + 14, null.begin() + 16);  // it has no --pool
  null.insert(null.end(), {"--seed", "3"});
  const Outcome drawn = run_tool(null);
  ASSERT_EQ(drawn.code, 0) << drawn.err;
  EXPECT_EQ(drawn.json()["kept"][0].size(), 4u);
  EXPECT_EQ(drawn.json()["scores"], Json::array());
  EXPECT_EQ(drawn.json()["options"]["seed"], 3);

  expect_refusal(run_tool({"kv", "replay", "--tensors", path, "--round", "1"}), 2, "--round");

  // By budget the interval says when, and a replay is one choice: only the published code's queries
  // depend on it.
  const auto by_budget = [&](std::vector<std::string> more) {
    std::vector<std::string> all = {"kv", "replay", "--tensors", path, "--budget", "4"};
    all.insert(all.end(), more.begin(), more.end());
    return run_tool(all);
  };
  EXPECT_EQ(by_budget({"--policy", "tova"}).code, 0);
  expect_refusal(by_budget({"--policy", "tova", "--interval", "7"}), 2, "--kv-interval 7");
  const Outcome reference =
      by_budget({"--policy", "rpc", "--window", "1", "--selector", "reference", "--interval", "7"});
  EXPECT_EQ(reference.code, 0) << reference.err;

  const std::vector<float> huge_keys = {1, 3e38f, -3e38f, 3e38f, 1, 0}, huge_query = {3e38f};
  const std::string huge = folder / "huge.safetensors";
  const std::vector<TensorView> overflow = {view("keys", huge_keys, {1, 6, 1}),
                                            view("queries", huge_query, {1, 1, 1})};
  write_safetensors(huge, overflow);
  std::vector<std::string> too_large = command;
  too_large[3] = huge;
  expect_refusal(run_tool(too_large), 1, "not finite");

  std::vector<std::string> wrong = command;
  wrong.insert(wrong.end(), {"--cap", "many"});
  expect_refusal(run_tool(wrong), 2, "many");
  expect_refusal(run_tool({"kv", "replay", "--tensors", path, "--type", "f16"}), 2, "--type");
  expect_refusal(run_tool({"kv", "replay", "--tensors", folder / "no.safetensors"}), 1, "no.safe");
}

}  // namespace
}  // namespace laconic::test
