// SPDX-License-Identifier: Apache-2.0
// `laconic eval` as a user sees it: table, JSON, samples, killed runs, mistakes.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <thread>

#include "base/file.h"
#include "test_paths.h"
#include "tool.h"

namespace laconic::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

const std::string kArms =
    "full,rpc:interval=16,window=4,ratio=4,random:interval=16,window=4,ratio=4";

class Eval : public ::testing::Test {
 protected:
  void SetUp() override {
    make_tiny(model());
    std::ofstream file(task());
    for (int i = 0; i < 16; ++i) {
      file << Json{{"question", "What is " + std::to_string(i) + " and 2?"},
                   {"answer", "#### " + std::to_string(i + 2)},
                   {"family", i < 6 ? "small" : "large"}}
                  .dump()
           << "\n";
    }
  }
  std::string model() const { return folder_ / "tiny"; }
  std::string task() const { return folder_ / "task.jsonl"; }
  std::string samples() const { return folder_ / "samples.jsonl"; }

  std::vector<std::string> words(const std::vector<std::string>& more) const {
    std::vector<std::string> all = {"eval", "-m", model(), "--task", task(), "-t", "1"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  Outcome eval(const std::vector<std::string>& more) const { return run_tool(words(more)); }

  // By arm and problem, without the time that it took.
  std::map<std::string, Json> answers(const std::string& path) const {
    std::map<std::string, Json> out;
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
      Json sample = Json::parse(line);
      sample.erase("seconds");
      const std::string key =
          sample["arm"].get<std::string>() + " " + sample["id"].get<std::string>();
      EXPECT_TRUE(out.emplace(key, sample).second) << key;
    }
    return out;
  }
  void wait_for_sample() const {
    for (int i = 0; i < 12000; ++i) {
      std::error_code absent;
      if (std::filesystem::file_size(samples(), absent) > 0 && !absent) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }

  TemporaryFolder folder_;
};

TEST_F(Eval, TableAndJson) {
  const std::string json = folder_ / "out.json";
  const Outcome outcome =
      eval({"--compare", kArms, "-n", "40", "--by-family", "--json", json, "--limit", "10"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.err, "");  // not a terminal, and quick
  EXPECT_EQ(std::count(outcome.out.begin(), outcome.out.end(), '\n'), 5 + 1 + 5);
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("| arm "), HasSubstr("| full "),
                                 HasSubstr("| rpc:interval=16,window=4,ratio=4 "),
                                 HasSubstr("| random:interval=16,window=4,ratio=4 "),
                                 HasSubstr(" large (4) |"), HasSubstr(" small (6) |")));
  const Json document = Json::parse(read_file(json));
  EXPECT_EQ(document["problems"], 10);
  EXPECT_EQ(document["settings"]["max-tokens"], 40);
  EXPECT_EQ(document["threads"], 1);
  ASSERT_EQ(document["arms"].size(), 3u);
  const Json &full = document["arms"][0], &rpc = document["arms"][1];
  EXPECT_EQ(rpc["name"], "rpc:interval=16,window=4,ratio=4");
  EXPECT_EQ(rpc["policy"], "rpc");
  EXPECT_EQ(rpc["options"]["interval"], 16);
  EXPECT_EQ(rpc["options"]["type"], "f16");
  EXPECT_EQ(rpc["problems"], 10);
  EXPECT_EQ(rpc["decoded"], 10);
  EXPECT_TRUE(full["difference"].is_null());
  EXPECT_EQ(rpc["difference"]["interval"].size(), 2u);
  EXPECT_GT(full["kv_peak_bytes"], rpc["kv_peak_bytes"]);
  EXPECT_GT(full["kv_mean_bytes"], rpc["kv_mean_bytes"]);
  EXPECT_EQ(full["families"]["small"]["problems"], 6);
}

TEST_F(Eval, FullIsTheArmOfThoseWhoCompareNothing) {
  const Outcome outcome = eval({"-n", "4", "--limit", "2"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("| full "));
  EXPECT_EQ(std::count(outcome.out.begin(), outcome.out.end(), '\n'), 3);
}

TEST_F(Eval, KilledAndResumedEqualsUndisturbed) {
  const std::vector<std::string> flags = {"--compare", kArms, "-n", "300", "--batch", "2"};
  auto stopped = flags, undisturbed = flags;
  stopped.insert(stopped.end(), {"--samples", samples()});
  undisturbed.insert(undisturbed.end(), {"--samples", folder_ / "whole.jsonl"});
  {
    ToolProcess process(words(stopped));
    wait_for_sample();
    process.send(SIGKILL);
    EXPECT_EQ(process.finish().code, 128 + SIGKILL);
  }
  const std::string left = read_file(samples());
  write_file_atomic(samples(), left.substr(0, left.size() - 5));  // torn, if the kill did not
  const Outcome resumed = eval(stopped), whole = eval(undisturbed);
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  ASSERT_EQ(whole.code, 0) << whole.err;
  EXPECT_EQ(answers(samples()).size(), 48u);
  EXPECT_EQ(answers(samples()), answers(folder_ / "whole.jsonl"));
  // A third time there is nothing left to decode.
  const std::string before = read_file(samples());
  ASSERT_EQ(eval(stopped).code, 0);
  EXPECT_EQ(read_file(samples()), before);
}

TEST_F(Eval, CtrlCSaysHowToGoOn) {
  ToolProcess process(
      words({"--compare", kArms, "-n", "300", "--batch", "1", "--samples", samples()}));
  wait_for_sample();
  process.send(SIGINT);
  const Outcome outcome = process.finish();
  EXPECT_EQ(outcome.code, 128 + SIGINT);
  EXPECT_EQ(outcome.out, "");
  EXPECT_THAT(outcome.err,
              HasSubstr("interrupted; the same command goes on from the answers in " + samples()));
  const std::string content = read_file(samples());
  EXPECT_EQ(content.back(), '\n');
  EXPECT_LT(answers(samples()).size(), 48u);
}

TEST_F(Eval, OtherSamplesAreRefused) {
  ASSERT_EQ(eval({"-n", "5", "--limit", "2", "--samples", samples()}).code, 0);
  const std::string before = read_file(samples());
  const auto refused = [&](std::vector<std::string> flags, const std::string& part) {
    flags.insert(flags.end(), {"--samples", samples(), "--limit", "2"});
    expect_refusal(eval(flags), 1, part);
    EXPECT_EQ(read_file(samples()), before);
  };
  refused({"-n", "6"}, "line 1: max-tokens was 5, this run has 6; give another file");
  refused({"-n", "5", "--kv-type", "f32"}, "kv-type was f16, this run has f32");
  refused({"-n", "5", "--kv-type", "q8_0"}, "kv-type was f16, this run has q8_0");
  refused({"-n", "5", "--temp", "0.5"}, "temp was 0.0, this run has 0.5");
  refused({"-n", "5", "--instruction", "Be brief."}, "other words");
  std::filesystem::remove_all(model());
  make_tiny(model(), "f16");
  refused({"-n", "5"}, "model was ");
}

TEST_F(Eval, BadTasks) {
  const auto refused = [&](const std::string& content, const std::string& part) {
    write_file_atomic(task(), content);
    expect_refusal(eval({}), 1, part);
  };
  refused("", "task.jsonl is empty");
  refused("{\"question\":\"q\",\"answer\":\"#### 1\"}\n\n", "line 2: the line is empty");
  refused("{\"question\":\"q\",\"answer\":\"1\"}\n", "line 1: \"answer\" has no \"####\"");
  refused("{\"question\":\"q\"", "line 1: not valid JSON");
}

TEST_F(Eval, TypingMistakesCostNoLoading) {
  const auto refused = [](std::vector<std::string> flags, const std::string& part) {
    flags.insert(flags.begin(), {"eval", "-m", "/nonexistent", "--task", "/nonexistent.jsonl"});
    expect_refusal(run_tool(flags), 2, part);
  };
  refused({"--compare", "lru"}, "lru");
  refused({"--compare", "full,window=8"}, "--kv-window does not apply");
  refused({"--compare", "window=8"}, "a policy comes first");
  refused({"--compare", "full", "--compare", "full"}, "same cache");
  refused({"--compare", ""}, "--compare");
  refused({"--limit", "0"}, "--limit");
  refused({"--batch", "0"}, "--batch");
  refused({"-n", "0"}, "-n 0");
  refused({"--raw", "--reasoning", "on"}, "--reasoning");
  refused({"--kv-type", "q8"}, "--kv-type");
  refused({"--kv-memory", "much"}, "much");
  refused({"--json", "/tmp/same", "--samples", "/tmp/same"}, "different names");
  expect_refusal(run_tool({"eval", "--task", "x"}), 2, "--model");
  expect_refusal(run_tool({"eval", "-m", "x"}), 2, "--task");
  expect_refusal(run_tool({"eval", "-m", "x", "--task", "/nonexistent.jsonl"}), 1,
                 "/nonexistent.jsonl");
}

TEST_F(Eval, NothingThatIsReadIsOverwritten) {
  const std::string weights = model() + "/model.safetensors", before = read_file(task());
  for (const char* flag : {"--json", "--samples"}) {
    expect_refusal(eval({flag, task()}), 2, "is the task");
    expect_refusal(eval({flag, weights}), 2, "belongs to the model");
    expect_refusal(eval({flag, folder_ / "no/file"}), 1, "no folder");
  }
  EXPECT_EQ(read_file(task()), before);
}

TEST_F(Eval, FamiliesThatNobodyNamesAreNoTable) {
  write_file_atomic(task(),
                    "{\"question\":\"q\",\"answer\":\"#### 1\"}\n"
                    "{\"question\":\"r\",\"answer\":\"#### 2\",\"family\":\"sums\"}\n");
  const auto by_family = [&](const std::string& from, const std::string& limit) {
    return run_tool(
        {"eval", "-m", from, "--task", task(), "-n", "2", "--by-family", "--limit", limit});
  };
  expect_refusal(by_family("/nonexistent", "1"), 2, "--by-family has no effect");
  EXPECT_EQ(by_family(model(), "2").code, 0);
}

TEST_F(Eval, SamplesGoToARegularFileOnly) {
  const std::string pipe = folder_ / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  for (const std::string& path : {pipe, std::string("/dev/null")}) {
    expect_refusal(run_tool({"eval", "-m", "/nonexistent", "--task", task(), "--samples", path}), 1,
                   "--samples " + path + " cannot be written: it is not a regular file");
  }
}

// The answers are there even if the numbers find no room.
TEST_F(Eval, TheTableIsPrintedBeforeTheJsonIsWritten) {
  const std::string json = folder_ / "out.json";
  const Outcome outcome =
      run_shell("trap '' XFSZ; ulimit -f 0; $LACONIC eval -m '" + model() + "' --task '" + task() +
                "' -n 4 --limit 2 --json '" + json + "' 2>/dev/null");
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.out, HasSubstr("| full "));
  EXPECT_FALSE(std::filesystem::exists(json));
}

TEST_F(Eval, ALostStderrDoesNotEndTheRun) {
  if (!std::filesystem::exists("/dev/full")) GTEST_SKIP() << "absent: /dev/full";
  const std::string command = "$LACONIC eval -m '" + model() + "' --task '" + task() + "'";
  EXPECT_EQ(run_shell(command + " -n 0 2>/dev/full").code, 2);
  const Outcome stopped = run_shell(command + " -n 300 --batch 1 --samples '" + samples() +
                                    "' 2>/dev/full & pid=$!; while ! [ -s '" + samples() +
                                    "' ]; do sleep 0.01; done; kill -TERM $pid; wait $pid");
  EXPECT_EQ(stopped.code, 128 + SIGTERM);
  EXPECT_LT(answers(samples()).size(), 16u);
}

// The bar's terminal is closed in the middle of a run.
TEST_F(Eval, ALostTerminalDoesNotEndTheRun) {
  const int master = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (master < 0 || ::grantpt(master) != 0 || ::unlockpt(master) != 0)
    GTEST_SKIP() << "no terminal";
  const std::string terminal = ::ptsname(master);
  const std::string command = "$LACONIC eval -m '" + model() + "' --task '" + task() +
                              "' -n 2000 -t 1 --batch 1 --limit 8 2>'" + terminal + "'";
  std::thread closer([&] {
    char shown = 0;  // the bar has begun
    EXPECT_EQ(::read(master, &shown, 1), 1);
    ::close(master);
  });
  const Outcome outcome = run_shell(command);
  closer.join();
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.out, HasSubstr("| full "));
}

TEST_F(Eval, AFullDiskUnderTheSamplesIsSaid) {
  if (!std::filesystem::exists("/dev/full")) GTEST_SKIP() << "absent: /dev/full";
  expect_refusal(eval({"-n", "4", "--samples", "/dev/full"}), 1, "not a regular file");
  const Outcome outcome =
      run_shell("$LACONIC eval -m '" + model() + "' --task '" + task() + "' -n 4 2>&1 >/dev/full");
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.out, HasSubstr("standard output cannot be written"));
}

}  // namespace
}  // namespace laconic::test
