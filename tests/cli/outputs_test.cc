// SPDX-License-Identifier: Apache-2.0
// What a run writes: nothing it reads is overwritten, nothing is lost in silence.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>

#include "base/file.h"
#include "test_paths.h"
#include "tool.h"

namespace laconic::test {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class Outputs : public ::testing::Test {
 protected:
  void SetUp() override { make_tiny(model()); }
  std::string model() const { return folder_ / "tiny"; }

  Outcome run(std::vector<std::string> more) const {
    more.insert(more.begin(), {"run", "-m", model(), "--ids", "1,2,3", "-n", "41", "--ignore-eos",
                               "--json", "--kv-policy", "rpc", "--kv-window", "4"});
    return run_tool(more);
  }

  TemporaryFolder folder_;
};

const std::vector<std::string> kTwoCompressions = {"--kv-interval", "16"};

TEST_F(Outputs, NeverTheModelNorEachOther) {
  const std::string weights = model() + "/model.safetensors", before = read_file(weights);
  const std::string link = folder_ / "link", gguf = folder_ / "m.gguf", both = folder_ / "both";
  std::filesystem::create_symlink(weights, link);
  make_tiny(gguf);
  for (const char* flag : {"--logits-out", "--kv-trace"}) {
    expect_refusal(run({flag, weights}), 2, "belongs to the model");
    expect_refusal(run({flag, folder_ / "tiny/../tiny/config.json"}), 2, "belongs to the model");
    expect_refusal(run({flag, link}), 2, "belongs to the model");
    expect_refusal(run_tool({"run", "-m", gguf, "-p", "x", "--kv-policy", "rpc", flag, gguf}), 2,
                   "belongs to the model");
  }
  EXPECT_TRUE(read_file(weights) == before);
  expect_refusal(run({"--logits-out", both, "--kv-trace", folder_ / "tiny/../both"}), 2,
                 "different names");
  EXPECT_FALSE(std::filesystem::exists(both));
}

TEST_F(Outputs, NeverTheTableOfHeads) {
  const std::string folder = folder_ / "heads", table = folder + "/adapter_weights.tsv";
  const std::string scores = "0.9\t0.1\n0.2\t0.3\n0.5\t0\n";
  std::filesystem::create_directory(folder);
  write_file_atomic(table, scores);
  for (const char* flag : {"--logits-out", "--kv-trace", "--session"}) {
    for (const std::string& heads : {table, folder}) {
      expect_refusal(run({"--kv-heads", heads, "--kv-sparsity", "0.5", flag, table}), 2,
                     "is the table of heads that is read");
    }
  }
  EXPECT_EQ(read_file(table), scores);
}

TEST_F(Outputs, ANameThatNoFileCanHaveIsSaid) {
  const std::string name = folder_ / std::string(300, 'x');
  for (const char* flag : {"--logits-out", "--kv-trace", "--session"}) {
    expect_refusal(run({flag, name}), 1, "cannot be written: File name too long");
  }
}

TEST_F(Outputs, WhatCannotBeWrittenIsSaidFirst) {
  const std::string pipe = folder_ / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  expect_refusal(run({"--logits-out", pipe}), 1, "not a regular file");
  EXPECT_TRUE(std::filesystem::is_fifo(pipe));
  for (const char* flag : {"--logits-out", "--kv-trace"}) {
    expect_refusal(run({flag, folder_.path()}), 1, "is a directory");
    expect_refusal(run({flag, folder_ / "no/file"}), 1, "no folder");
  }
}

TEST_F(Outputs, ATraceBeginsWithItsFirstLine) {
  const std::string trace = folder_ / "trace.jsonl";
  write_file_atomic(trace, "an earlier one\n");
  expect_refusal(run({"--kv-trace", trace, "-c", "2"}), 2, "context");
  EXPECT_EQ(read_file(trace), "an earlier one\n");
  ASSERT_EQ(run({"--kv-trace", trace}).code, 0);  // no compression
  EXPECT_EQ(read_file(trace), "");
  std::vector<std::string> flags = kTwoCompressions;
  flags.insert(flags.end(), {"--kv-trace", trace});
  ASSERT_EQ(run(flags).code, 0);
  EXPECT_THAT(read_file(trace), StartsWith("{"));
}

TEST_F(Outputs, AFullDiskUnderTheTraceIsSaid) {
  if (!std::filesystem::exists("/dev/full")) GTEST_SKIP() << "absent: /dev/full";
  std::vector<std::string> flags = kTwoCompressions;
  flags.insert(flags.end(), {"--kv-trace", "/dev/full"});
  expect_refusal(run(flags), 1, "--kv-trace /dev/full cannot be written: No space left");
}

TEST_F(Outputs, AFailedWriteToStdoutIsAFailure) {
  if (!std::filesystem::exists("/dev/full")) GTEST_SKIP() << "absent: /dev/full";
  const std::string answer = "run -m '" + model() + "' --ids 1,2,3 -n 4 --ignore-eos";
  for (const std::string& words : {std::string("--help"), std::string("make-model --list"),
                                   "inspect '" + model() + "'", "inspect '" + model() + "' --json",
                                   "tokenize '" + model() + "' -p x", answer, answer + " --json"}) {
    for (const char* target : {">/dev/full", ">&-"}) {
      const Outcome outcome = run_shell("$LACONIC " + words + " 2>&1 " + target);
      EXPECT_EQ(outcome.code, 1) << words << target << ": " << outcome.out;
      EXPECT_THAT(outcome.out, HasSubstr("standard output cannot be written")) << words << target;
    }
  }
}

TEST_F(Outputs, ClosedStreamsLendTheirNumbersToNoFile) {
  const std::string logits = folder_ / "logits.safetensors", trace = folder_ / "trace.jsonl";
  const Outcome outcome = run_shell("$LACONIC run -m '" + model() +
                                    "' --ids 1,2,3 -n 41 --ignore-eos --kv-policy rpc " +
                                    "--kv-window 4 --kv-interval 16 --json --kv-trace '" + trace +
                                    "' --logits-out '" + logits + "' <&- >&- 2>&-");
  EXPECT_EQ(outcome.code, 1);
  const std::string lines = read_file(trace);
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 2 * 3 * 2);
  EXPECT_THAT(lines, ::testing::Not(HasSubstr("prompt_ids")));
}

}  // namespace
}  // namespace laconic::test
