// SPDX-License-Identifier: Apache-2.0
// `laconic run`: the JSON object, the files it writes, the policy's laws as a user sees them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <set>
#include <sstream>
#include <thread>

#include "base/file.h"
#include "io/safetensors.h"
#include "test_paths.h"
#include "tool.h"

namespace laconic::test {
namespace {

using ::testing::HasSubstr;

class Run : public ::testing::Test {
 protected:
  void SetUp() override { make_tiny(model()); }
  std::string model() const { return folder_ / "tiny"; }

  std::vector<std::string> command(const std::vector<std::string>& more) const {
    std::vector<std::string> all = {"run", "-m", model()};
    const bool forced = std::find(more.begin(), more.end(), "--force-ids") != more.end();
    if (!forced) all.push_back("--ignore-eos");
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  Outcome run(const std::vector<std::string>& more, const std::string& input = "") const {
    return run_tool(command(more), input);
  }
  Json run_json(std::vector<std::string> more) const {
    more.push_back("--json");
    const Outcome outcome = run(more);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_EQ(outcome.err, "");
    return outcome.json();
  }

  TemporaryFolder folder_;
};

TEST_F(Run, JsonObjectIsComplete) {
  const Json j = run_json({"--ids", "1,2,3", "-n", "8"});
  ASSERT_TRUE(j.is_object());
  EXPECT_EQ(j["prompt_ids"], (std::vector<int>{1, 2, 3}));
  EXPECT_EQ(j["ids"].size(), 8u);
  EXPECT_EQ(j["finish_reason"], "length");
  for (const char* key : {"text", "reasoning", "answer"}) EXPECT_TRUE(j[key].is_string()) << key;
  for (const char* key : {"prompt_n", "prompt_ms", "prompt_per_second", "predicted_n",
                          "decode_steps", "predicted_ms", "predicted_per_second", "kv_ms"}) {
    EXPECT_TRUE(j["timings"][key].is_number()) << key;
  }
  EXPECT_EQ(j["timings"]["prompt_n"], 3);
  EXPECT_EQ(j["timings"]["predicted_n"], 8);
  EXPECT_EQ(j["timings"]["decode_steps"], 7);
  EXPECT_NEAR(j["timings"]["predicted_per_second"].get<double>(),
              7e3 / j["timings"]["predicted_ms"].get<double>(), 1e-6);
  const Json& kv = j["kv"];
  EXPECT_EQ(kv["policy"], "full");
  EXPECT_EQ(kv["options"], (Json{{"type", "f16"}}));
  EXPECT_EQ(kv["rows"], (std::vector<std::vector<int>>(3, std::vector<int>(2, 3 + 7))));
  EXPECT_EQ(kv["bytes"], 10 * 3 * 2 * 2 * 32 * 2);
  for (const char* key : {"allocated_bytes", "peak_bytes", "peak_rows", "mean_bytes"}) {
    EXPECT_GT(kv[key].get<double>(), 0) << key;
  }
  EXPECT_EQ(kv["compressions"], 0);
}

TEST_F(Run, CompressionFollowsTheLawAndIsTraced) {
  const std::string trace = folder_ / "trace.jsonl";
  const Json j = run_json({"--ids", "1,2,3,4,5", "-n", "41", "--kv-policy", "rpc", "--kv-interval",
                           "16", "--kv-window", "4", "--kv-ratio", "4", "--kv-granularity",
                           "kv_head", "--kv-trace", trace});
  // 40 rows were appended: triggers after rows 20 and 36, four rows stay of each interval.
  EXPECT_EQ(j["kv"]["compressions"], 2);
  EXPECT_EQ(j["kv"]["rows"], (std::vector<std::vector<int>>(3, std::vector<int>(2, 5 + 8 + 8))));
  EXPECT_EQ(j["kv"]["peak_rows"], 5 + 4 + 4 + 16);
  EXPECT_EQ(j["kv"]["options"]["interval"], 16);
  EXPECT_EQ(j["kv"]["options"]["protect-prompt"], true);

  std::istringstream lines(read_file(trace));
  std::set<std::string> places;
  std::size_t count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    const Json entry = Json::parse(line, nullptr, false);
    ASSERT_TRUE(entry.is_object()) << line;
    const auto kept = entry["kept"].get<std::vector<int>>();
    EXPECT_TRUE(std::is_sorted(kept.begin(), kept.end()));
    EXPECT_EQ(kept.size(), entry["step"] == 20 ? 5u + 4 + 4 : 5u + 8 + 4);
    EXPECT_EQ(std::vector<int>(kept.begin(), kept.begin() + 5), (std::vector<int>{0, 1, 2, 3, 4}));
    places.insert(entry["step"].dump() + " " + entry["layer"].dump() + " " +
                  entry["kv_head"].dump());
  }
  EXPECT_EQ(count, 2u * 3 * 2);
  EXPECT_EQ(places.size(), count);
}

TEST_F(Run, TheNullHoldsWhatRpcHoldsAndFollowsItsSeed) {
  const std::string trace = folder_ / "trace.jsonl";
  const auto run_policy = [&](std::vector<std::string> policy) {
    policy.insert(policy.end(), {"--ids", "1,2,3,4,5", "-n", "41", "--kv-interval", "16",
                                 "--kv-window", "4", "--kv-trace", trace});
    return run_json(policy)["kv"];
  };
  const Json rpc = run_policy({"--kv-policy", "rpc"});
  const Json first = run_policy({"--kv-policy", "random", "--kv-seed", "1"});
  const std::string kept = read_file(trace);
  EXPECT_EQ(run_policy({"--kv-policy", "random", "--kv-seed", "1"}), first);
  EXPECT_EQ(read_file(trace), kept);
  run_policy({"--kv-policy", "random", "--kv-seed", "2"});
  EXPECT_NE(read_file(trace), kept);

  EXPECT_EQ(first["policy"], "random");
  EXPECT_EQ(first["options"], (Json{{"type", "f16"},
                                    {"interval", 16},
                                    {"window", 4},
                                    {"ratio", 4},
                                    {"granularity", "layer"},
                                    {"cap", 0},
                                    {"sink", 0},
                                    {"protect-prompt", true},
                                    {"seed", 1}}));
  for (const char* key : {"rows", "bytes", "peak_bytes", "peak_allocated_bytes", "mean_bytes",
                          "peak_rows", "compressions"}) {
    EXPECT_EQ(first[key], rpc[key]) << key;
  }
}

TEST_F(Run, AnswersDoNotDependOnChunksOrAnUnreachedBudget) {
  const std::vector<std::string> prompt = {"--ids", "9,8,7,6,5,4,3,2,1", "-n", "24"};
  const auto ids_with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), prompt.begin(), prompt.end());
    return run_json(more)["ids"];
  };
  const Json ids = ids_with({});
  EXPECT_EQ(ids_with({"-b", "2"}), ids);
  EXPECT_EQ(ids_with({"-t", "1"}), ids_with({"-t", "2"}));
  EXPECT_EQ(ids_with({"--kv-policy", "rpc", "--kv-interval", "64"}), ids);
  EXPECT_EQ(
      ids_with({"--kv-policy", "rpc", "--kv-interval", "8", "--kv-window", "4", "--kv-ratio", "1"}),
      ids);
}

TEST_F(Run, TeacherForcingAndLogits) {
  const std::string out = folder_ / "logits.safetensors";
  const Json j = run_json({"--ids", "1,2", "--force-ids", "5,6,7", "--logits-out", out});
  EXPECT_EQ(j["ids"], (std::vector<int>{5, 6, 7}));
  const SafetensorsFile file(out);
  const TensorView logits = file.tensor("logits");
  EXPECT_EQ(logits.type, DType::kF32);
  EXPECT_EQ(logits.shape, (std::vector<std::size_t>{1 + 3, 512}));

  // The first row comes after the prompt: its largest value is the greedy choice.
  std::vector<float> first(512);
  std::memcpy(first.data(), logits.bytes.data(), first.size() * sizeof(float));
  const auto best = std::max_element(first.begin(), first.end()) - first.begin();
  EXPECT_EQ(run_json({"--ids", "1,2", "-n", "1"})["ids"],
            (std::vector<int>{static_cast<int>(best)}));
}

TEST_F(Run, StreamsTextAndEndsWithStatistics) {
  const Outcome outcome = run({"-p", "hello", "-n", "12", "--kv-policy", "rpc"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.err, HasSubstr("tokens/s"));
  EXPECT_THAT(outcome.err, HasSubstr("length"));
  EXPECT_THAT(outcome.err, HasSubstr("kv rpc: peak"));
  EXPECT_THAT(outcome.err, HasSubstr("0 compressions"));
  const Json same = run_json({"-p", "hello", "-n", "12"});
  EXPECT_EQ(outcome.out, same["text"].get<std::string>() + "\n");
  EXPECT_EQ(run({"-f", "-", "-n", "12"}, "hello\n").out, outcome.out);
}

TEST_F(Run, AStopTokenEndsTheAnswer) {
  const Json ids = run_json({"--ids", "1,2,3", "-n", "8"})["ids"];
  const std::string third = ids[2].dump();
  const Json j =
      run_json({"--ids", "1,2,3", "-n", "8", "--stop-token", "511", "--stop-token", third});
  EXPECT_EQ(j["finish_reason"], "stop");
  EXPECT_EQ(j["ids"].back(), ids[2]);
  EXPECT_LE(j["ids"].size(), 3u);
  expect_refusal(run({"--ids", "1", "--stop-token", "512"}), 2, "512");
}

TEST_F(Run, APromptFileMayBeAPipe) {
  const std::string pipe = folder_ / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  std::thread writer([&] { std::ofstream(pipe) << "hello\n"; });
  const Json piped = run_json({"-f", pipe, "-n", "1"});
  writer.join();
  EXPECT_EQ(piped["prompt_ids"], run_json({"-p", "hello", "-n", "1"})["prompt_ids"]);
  expect_refusal(run({"-f", folder_.path()}), 1, "directory");
}

TEST_F(Run, SamplingIsFixedByTheSeed) {
  const auto ids = [&](const char* seed) {
    return run_json({"--ids", "1", "-n", "16", "--temp", "1", "-s", seed})["ids"];
  };
  EXPECT_EQ(ids("7"), ids("7"));
  EXPECT_NE(ids("7"), ids("8"));
  expect_refusal(run({"--ids", "1", "--top-k", "5"}), 2, "temperature 0");
  expect_refusal(run({"--ids", "1", "--repeat-last-n", "5"}), 2, "--repeat-penalty");
}

TEST_F(Run, InvalidUtf8InThePromptDoesNotBreakTheJson) {
  const Json j = run_json({"-p", "caf\xe9 \xf0\x9f", "-n", "4"});
  EXPECT_TRUE(j.is_object());
  EXPECT_EQ(j["ids"].size(), 4u);
}

TEST_F(Run, RefusesWhatACheckpointWithoutTemplateCannotDo) {
  const auto path = folder_.path() / "tiny" / "tokenizer_config.json";
  Json config = Json::parse(read_file(path));
  config.erase("chat_template");
  write_file_atomic(path, config.dump());
  expect_refusal(run({"-p", "x", "-sys", "be brief"}), 2, "chat template");
  expect_refusal(run({"-p", "x", "-rea", "off"}), 2, "chat template");
  expect_refusal(run({"-cnv"}), 2, "chat template");
}

TEST_F(Run, ChatTemplateFromAFile) {
  const std::string path = folder_ / "chat.jinja";
  write_file_atomic(path, "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}[me]");
  const Json chat =
      run_json({"-p", "hi", "-sys", "be brief", "--chat-template-file", path, "-n", "1"});
  const Json plain = run_json({"-p", "[system]be brief[user]hi[me]", "--raw", "-n", "1"});
  EXPECT_EQ(chat["prompt_ids"], plain["prompt_ids"]);
  EXPECT_EQ(chat["ids"], plain["ids"]);
}

TEST_F(Run, ConversationKeepsItsHistory) {
  const std::string path = folder_ / "chat.jinja";
  write_file_atomic(path, "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}[me]");
  const Outcome outcome =
      run({"-cnv", "--chat-template-file", path, "-n", "4"}, "first\n\nsecond\n");
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 2 * 2) << outcome.err;
  const Outcome longer =
      run({"-cnv", "-p", "first", "--chat-template-file", path, "-n", "4"}, "second\n");
  EXPECT_EQ(longer.out, outcome.out);
}

// The signal can come too late for a model this small, so a few tries are allowed.
TEST_F(Run, CtrlCEndsAnAnswerCleanly) {
  bool cancelled = false;
  for (int attempt = 0; attempt < 10 && !cancelled; ++attempt) {
    ToolProcess process(command({"--ids", "1", "-n", "-1"}));
    process.wait_for_output(1);
    process.send(SIGINT);
    const Outcome outcome = process.finish();
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    ASSERT_THAT(outcome.err, HasSubstr("kv full: peak"));
    cancelled = outcome.err.find("| cancelled") != std::string::npos;
  }
  EXPECT_TRUE(cancelled);
}

TEST_F(Run, CtrlCInAConversationComesBackToThePrompt) {
  const std::string path = folder_ / "chat.jinja";
  write_file_atomic(path, "{{ messages[-1].content }}");
  bool cancelled = false;
  for (int attempt = 0; attempt < 10 && !cancelled; ++attempt) {
    ToolProcess process(command({"-cnv", "--chat-template-file", path, "-n", "3000"}),
                        "first\nsecond\n");
    process.wait_for_output(1);
    process.send(SIGINT);
    const Outcome outcome = process.finish();
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    ASSERT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 2 * 2) << outcome.err;
    cancelled = outcome.err.find("| cancelled") != std::string::npos;
  }
  EXPECT_TRUE(cancelled);
}

TEST(RunStories, GreedyTextByteForByte) {
  const auto folder = shared_data() / "models" / "stories260K";
  LACONIC_NEEDS(folder);
  const Json expected = Json::parse(read_file(folder / "expected.json"));
  const std::string length = std::to_string(expected["greedy_ids"].size());
  for (const auto& model : {folder, folder / "stories260K-f32.gguf"}) {
    const Outcome outcome = run_tool({"run", "-m", model, "--ids", "1", "-n", length, "--kv-type",
                                      "f32", "--ignore-eos", "--json"});
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_EQ(outcome.json()["ids"], expected["greedy_ids"]);
    EXPECT_EQ(outcome.json()["text"], expected["greedy_text"]);
  }
}

}  // namespace
}  // namespace laconic::test
