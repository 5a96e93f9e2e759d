// SPDX-License-Identifier: Apache-2.0
// What `laconic eval` does besides a plain comparison: equal memory, tables of heads, predictions
// along saved answers, the passcode study.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "base/file.h"
#include "test_paths.h"
#include "tool.h"

namespace laconic::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class EvalModes : public ::testing::Test {
 protected:
  void SetUp() override {
    make_tiny(model());
    std::ofstream file(task());
    for (int i = 0; i < 8; ++i) {
      file << Json{{"question", "What is " + std::to_string(i) + " and 2?"},
                   {"answer", "#### " + std::to_string(i + 2)}}
                  .dump()
           << "\n";
    }
  }
  std::string model() const { return folder_ / "tiny"; }
  std::string task() const { return folder_ / "task.jsonl"; }
  std::string samples() const { return folder_ / "samples.jsonl"; }
  std::string json() const { return folder_ / "out.json"; }
  Json document() const { return Json::parse(read_file(json())); }

  Outcome eval(const std::vector<std::string>& more) const {
    std::vector<std::string> all = {"eval", "-m", model(), "-t", "1"};
    all.insert(all.end(), more.begin(), more.end());
    return run_tool(all);
  }
  // A score for each of tiny's heads, in that file.
  void write_table(const std::string& path) const {
    const Json info = run_tool({"inspect", model(), "--json"}).json();
    std::string text;
    for (std::size_t i = 0; i < info["layers"].get<std::size_t>(); ++i) {
      for (std::size_t h = 0; h < info["kv_heads"].get<std::size_t>(); ++h) {
        text += (h > 0 ? "\t0." : "0.") + std::to_string(1 + i + h);
      }
      text += "\n";
    }
    write_file_atomic(path, text);
  }

  TemporaryFolder folder_;
};

TEST_F(EvalModes, MatchRefusesBeforeAModelIsRead) {
  const auto refused = [&](const std::string& arms, const std::string& part) {
    expect_refusal(run_tool({"eval", "-m", "/nonexistent", "--task", task(), "--match", "peak",
                             "--at", "0.5", "--compare", arms}),
                   2, part);
  };
  refused("full,rpc:interval=16,window=4,ratio=2", "leave ratio=2 out of rpc:");
  refused("full,rpc:interval=16,heads=random:1,sparsity=0.5", "heads differ");
  refused("full", "--match chooses ratios and budgets, and no arm has one");
  refused("full,rpc:interval=16,budget=60,rpc:interval=16,budget=70", "differ in nothing else");
}

TEST_F(EvalModes, MatchComparesEveryFullCache) {
  const Outcome outcome =
      eval({"--task", task(), "--limit", "2", "-n", "120", "--match", "peak", "--at", "0.5",
            "--compare", "full,rpc:interval=8,window=2,full:type=f32", "--json", json()});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const Json found = document();
  ASSERT_EQ(found["arms"].size(), 3u);
  EXPECT_EQ(found["arms"][0]["name"], "full");
  EXPECT_EQ(found["arms"][1]["name"], "full:type=f32");
  ASSERT_EQ(found["match"]["arms"].size(), 1u);
  EXPECT_EQ(found["match"]["arms"][0]["name"], found["arms"][2]["name"]);
  EXPECT_NEAR(found["match"]["arms"][0]["predicted"].get<double>(), 0.5, 0.1);
}

TEST_F(EvalModes, TablesOfHeadsAreNotOverwritten) {
  const std::string trained = folder_ / "trained";
  std::filesystem::create_directory(trained);
  const std::string table = trained + "/adapter_weights.tsv";
  write_table(table);
  const std::string before = read_file(table);
  for (const std::string& heads : {table, trained}) {
    for (const char* flag : {"--json", "--samples"}) {
      expect_refusal(eval({"--task", task(), "--limit", "1", "-n", "2", "--compare",
                           "full:heads=" + heads + ",sparsity=0.5", flag, table}),
                     2, "is the table of heads that is read");
    }
  }
  EXPECT_EQ(read_file(table), before);
}

TEST_F(EvalModes, JsonSaysWhichHeadsWereFull) {
  const std::string table = folder_ / "heads.tsv";
  write_table(table);
  const Json expected =
      run_tool({"kv", "heads", table, "--sparsity", "0.5", "--json"}).json()["full"];
  ASSERT_TRUE(expected.is_array());
  const std::string heads = "full:heads=" + table + ",sparsity=0.5,sink=2,recent=8";
  ASSERT_EQ(eval({"--task", task(), "--limit", "2", "-n", "30", "--compare", "full," + heads,
                  "--samples", samples(), "--json", json(), "--reasoning", "off"})
                .code,
            0);
  const Json found = document();
  EXPECT_FALSE(found["arms"][0].contains("full_heads"));
  EXPECT_EQ(found["arms"][1]["full_heads"], expected);
  EXPECT_EQ(found["reasoning"], "off");
  EXPECT_EQ(found["raw"], false);
  EXPECT_TRUE(found["quantize"].is_null());
  ASSERT_EQ(eval({"--kld", samples(), "--compare", heads, "--json", json()}).code, 0);
  EXPECT_EQ(document()["arms"][0]["full_heads"], expected);
}

// What repeats the study.
TEST_F(EvalModes, ProbeJsonSaysWhatWasAsked) {
  const std::vector<std::string> flags = {"--probe",
                                          "passcode",
                                          "--probe-problems",
                                          "1",
                                          "--probe-counts",
                                          "1",
                                          "-n",
                                          "700",
                                          "--json",
                                          json(),
                                          "--compare",
                                          "full,rpc:interval=256,window=8,ratio=4"};
  auto short_ones = flags;
  short_ones.insert(short_ones.end(), {"--probe-steps", "10"});
  const Outcome outcome = eval(short_ones);
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out,
              AllOf(HasSubstr("| compressions, stated "), HasSubstr("| in the answers, stated "),
                    HasSubstr("| compressions, worked out ")));
  const Json found = document();
  EXPECT_EQ(found["steps"], 10);
  EXPECT_EQ(found["seed"], 1);
  EXPECT_EQ(found["problems_per_count"], 1);
  EXPECT_EQ(found["raw"], false);
  EXPECT_EQ(found["reasoning"], "auto");
  EXPECT_EQ(found["settings"]["max-tokens"], 700);
  EXPECT_EQ(found["arms"][1]["stated"][0]["compressions"], 1);
  EXPECT_EQ(found["arms"][1]["stated"][0]["problems"], 1);
  EXPECT_TRUE(found["arms"][1]["stated"][0].contains("moved"));
}

// --samples, which a plain run is told of, has no effect here.
TEST_F(EvalModes, AStoppedKldSaysThatItBeginsAnew) {
  ASSERT_EQ(eval({"--task", task(), "-n", "250", "--samples", samples()}).code, 0);
  std::string many;
  const std::string content = read_file(samples());
  for (std::size_t copy = 0; copy < 50; ++copy) {
    for (std::size_t at = 0; at < content.size();) {
      const std::size_t end = content.find('\n', at);
      Json line = Json::parse(content.substr(at, end - at));
      line["id"] = line["id"].get<std::string>() + "-" + std::to_string(copy);
      many += line.dump() + "\n";
      at = end + 1;
    }
  }
  write_file_atomic(samples(), many);
  // The bar shows that it is under way.
  const int master = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (master < 0 || ::grantpt(master) != 0 || ::unlockpt(master) != 0)
    GTEST_SKIP() << "no terminal";
  const std::string terminal = ::ptsname(master), begun = folder_ / "begun";
  std::string shown;
  std::thread reader([&] {
    char piece[256];
    for (ssize_t got = 0; (got = ::read(master, piece, sizeof piece)) > 0;) {
      if (shown.empty()) std::ofstream(begun).close();
      shown.append(piece, static_cast<std::size_t>(got));
    }
  });
  const Outcome outcome =
      run_shell("$LACONIC eval -m '" + model() + "' -t 1 --batch 1 --kld '" + samples() +
                "' --compare rpc:interval=16,window=4 2>'" + terminal + "' & pid=$!; " +
                "while ! [ -e '" + begun + "' ]; do sleep 0.01; done; kill -TERM $pid; wait $pid");
  reader.join();
  ::close(master);
  EXPECT_EQ(outcome.code, 128 + SIGTERM);
  EXPECT_THAT(shown, HasSubstr("interrupted; the same command begins anew"));
}

}  // namespace
}  // namespace laconic::test
