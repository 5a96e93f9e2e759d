// SPDX-License-Identifier: Apache-2.0
// What is typed wrong is said in one sentence with exit code 2, before any model is opened: the
// model named here does not exist.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/file.h"
#include "test_paths.h"
#include "tool.h"

namespace laconic::test {
namespace {

using ::testing::HasSubstr;

std::vector<std::string> run_with(std::vector<std::string> more) {
  std::vector<std::string> all = {"run", "-m", "/nonexistent"};
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

TEST(Usage, HelpAndVersionSucceed) {
  const Outcome help = run_tool({"--help"});
  EXPECT_EQ(help.code, 0);
  EXPECT_EQ(help.err, "");
  for (const char* name :
       {"run", "bench", "tokenize", "inspect", "make-model", "quantize", "kv", "data", "eval"}) {
    EXPECT_THAT(help.out, HasSubstr(name));
    const Outcome one = run_tool({name, "-h"});
    EXPECT_EQ(one.code, 0);
    EXPECT_NE(one.out, "");
  }
  const std::string build = read_file(test_data().parent_path().parent_path() / "CMakeLists.txt");
  const std::string version = run_tool({"--version"}).out;
  ASSERT_THAT(version, ::testing::StartsWith("laconic "));
  EXPECT_THAT(build, HasSubstr("VERSION " + version.substr(8, version.size() - 9) + " "));
}

// Another program's work: its words are passed on as they are, or it is said how to build it.
TEST(Usage, TrainStartsItsSibling) {
  EXPECT_THAT(run_tool({"--help"}).out, HasSubstr("train"));
  const Outcome outcome = run_tool({"train", "pretrain", "--no-such-option", "-x5"});
  if (std::filesystem::exists(std::filesystem::path(LACONIC_BINARY).parent_path() /
                              "laconic-train")) {
    EXPECT_EQ(outcome.code, 2);
    EXPECT_EQ(outcome.err, "laconic-train: RECIPE is required\n");
  } else {
    expect_refusal(outcome, 1, "-DLACONIC_TRAIN=ON");
  }
}

TEST(Usage, SubcommandsAndOptions) {
  expect_refusal(run_tool({}), 2, "subcommand");
  expect_refusal(run_tool({"walk"}), 2, "walk");
  expect_refusal(run_tool({"run", "-p", "x"}), 2, "--model");
  expect_refusal(run_tool(run_with({"-p", "x", "--no-such-option"})), 2, "--no-such-option");
  expect_refusal(run_tool(run_with({"-p", "x", "-n", "many"})), 2, "many");
  expect_refusal(run_tool(run_with({"-p", "x", "-n", "-2"})), 2, "-2");
  expect_refusal(run_tool({"kv"}), 2, "subcommand");
  expect_refusal(run_tool({"kv", "foo"}), 2, "foo");
  expect_refusal(run_tool(run_with({"-p", "x", "-ctk", "f16"})), 2, "-ctk");
  expect_refusal(run_tool(run_with({"-p", "x", "-fa"})), 2, "-fa");
  expect_refusal(run_tool({"tokenize", "/nonexistent", "-cnv"}), 2, "-cnv");
  expect_refusal(run_tool(run_with({"-cnv", "-st"})), 2, "--single-turn");
  expect_refusal(run_tool(run_with({"-p", "x", "-st", "-no-cnv", "-n5"})), 1, "/nonexistent");
  expect_refusal(run_tool(run_with({"-p", "-ctk is what?", "-sys", "-st"})), 1, "/nonexistent");
  expect_refusal(run_tool({"inspect"}), 2, "--system");
  expect_refusal(run_tool({"make-model", "--like", "tiny"}), 2, "--out");
  expect_refusal(run_tool({"make-model", "--like", "gpt-5", "--out", "x.gguf"}), 2, "gpt-5");
  expect_refusal(run_tool({"quantize", "/nonexistent", "x.bin", "--type", "f16"}), 2, ".gguf");
  expect_refusal(run_tool({"quantize", "/nonexistent", "x.gguf", "--type", "q2_k"}), 2, "q2_k");
}

TEST(Usage, Prompts) {
  expect_refusal(run_tool(run_with({})), 2, "prompt is missing");
  expect_refusal(run_tool(run_with({"-p", "x", "--ids", "1"})), 2, "choose one");
  expect_refusal(run_tool(run_with({"--ids", "1,two"})), 2, "1,two");
  expect_refusal(run_tool(run_with({"--ids", "1,"})), 2, "--ids");
  expect_refusal(run_tool(run_with({"--ids", "99999999999"})), 2, "99999999999");
  expect_refusal(run_tool(run_with({"--ids", "1", "-sys", "x"})), 2, "--system-prompt");
  expect_refusal(run_tool(run_with({"-p", "x", "--raw", "-rea", "on"})), 2, "--reasoning");
  expect_refusal(run_tool(run_with({"-cnv", "--json"})), 2, "--json");
  expect_refusal(run_tool(run_with({"-p", "x", "--force-ids", "1", "-n", "3"})), 2, "-n");
  expect_refusal(run_tool(run_with({"-p", "x", "--stop", ""})), 2, "--stop");
}

TEST(Usage, CachePolicy) {
  const auto refused = [](std::vector<std::string> flags, const std::string& part) {
    flags.insert(flags.begin(), {"-p", "x"});
    expect_refusal(run_tool(run_with(flags)), 2, part);
  };
  refused({"--kv-policy", "lru"}, "lru");
  refused({"--kv-policy", "rpc", "--kv-ratio", "0.5"}, "0.5");
  refused({"--kv-policy", "rpc", "--kv-kernel", "4"}, "4");
  refused({"--kv-policy", "rpc", "--kv-window", "0"}, "window");
  refused({"--kv-policy", "rpc", "--kv-interval", "soon"}, "soon");
  refused({"--kv-interval", "64"}, "does not apply");
  refused({"--no-kv-protect-prompt"}, "does not apply");
  refused({"--kv-policy", "rpc", "--kv-seed", "1"}, "--kv-seed does not apply");
  refused({"--kv-policy", "random", "--kv-kernel", "3"}, "--kv-kernel does not apply");
  refused({"--kv-policy", "random", "--kv-seed", "-1"}, "--kv-seed '-1'");
  refused({"--kv-budget", "64"}, "--kv-budget");
  refused({"--kv-type", "q4_0"}, "q4_0");
  refused({"--kv-trace", "/tmp/x.jsonl"}, "--kv-trace");
  refused({"--kv-memory", "lots"}, "lots");
  refused({"--kv-memory", "0"}, "--kv-memory");
  refused({"--kv-memory", "1e400G"}, "--kv-memory");
}

TEST(Usage, Sampling) {
  const auto refused = [](std::vector<std::string> flags, const std::string& part) {
    flags.insert(flags.begin(), {"-p", "x"});
    expect_refusal(run_tool(run_with(flags)), 2, part);
  };
  refused({"--temp", "-1"}, "--temp");
  refused({"--temp", "nan"}, "--temp");
  refused({"--top-p", "0"}, "--top-p");
  refused({"--top-p", "1.5"}, "--top-p");
  refused({"--min-p", "2"}, "--min-p");
  refused({"--repeat-penalty", "0"}, "--repeat-penalty");
  refused({"--top-k", "-5"}, "-5");
}

TEST(Usage, NumbersAreWholeWordsWithinTheirRange) {
  const auto refused = [](std::vector<std::string> flags, const std::string& part) {
    flags.insert(flags.begin(), {"-p", "x"});
    expect_refusal(run_tool(run_with(flags)), 2, part);
  };
  refused({"--top-k", "-1"}, "--top-k -1 is out of range: 0 to 2147483647");
  refused({"--top-k", "99999999999999999999999"}, "out of range");
  for (const char* word : {"0x10", "+5", " 5", "5 ", "5.0", "1e3", "", "-", "five"}) {
    refused({"-n", word}, "--n-predict is \"" + std::string(word) + "\"");
    refused({"-t", word}, "--threads");
  }
  for (const char* word : {"0x1p3", "+1", "inf", "1,5", "", "warm"})
    refused({"--temp", word}, word);
  for (const char* flag : {"--kv-memory", "--file", "--logits-out", "--kv-trace", "--quantize"}) {
    refused({flag, ""}, flag);
  }
  expect_refusal(run_tool({"run", "-m", "", "-p", "x"}), 2, "--model is empty");
}

TEST(Usage, WhatCannotTakeEffect) {
  const auto refused = [](std::vector<std::string> flags, const std::string& part) {
    flags.insert(flags.begin(), {"-p", "x"});
    expect_refusal(run_tool(run_with(flags)), 2, part);
  };
  for (const char* flag : {"--temp", "--top-k", "--top-p", "--min-p", "--seed", "--stop",
                           "--stop-token", "--reasoning-budget", "-n"}) {
    refused({"--force-ids", "1", flag, "1"}, "--force-ids");
  }
  refused({"--force-ids", "1", "--stop-on-loop"}, "--stop-on-loop");
  refused({"--force-ids", "1", "--ignore-eos"}, "--ignore-eos");
  refused({"--reasoning", "off", "--reasoning-budget", "5"}, "--reasoning-budget");
  refused({"--kv-policy", "rpc", "--kv-pool", "none", "--kv-kernel", "3"}, "--kv-kernel");
}

TEST(Usage, MachineFlags) {
  expect_refusal(run_tool(run_with({"-p", "x", "-t", "100000"})), 2, "100000");
  expect_refusal(run_tool(run_with({"-p", "x", "-b", "0"})), 2, "batch-size");
  expect_refusal(run_tool(run_with({"-p", "x", "--simd", "MMX"})), 2, "MMX");
  expect_refusal(run_tool({"bench", "-m", "/nonexistent", "-b", "0"}), 2, "-b");
  expect_refusal(run_tool({"bench", "-m", "/nonexistent", "-p", "0", "-n", "0"}), 2, "nothing");
  expect_refusal(run_tool({"bench", "-m", "/nonexistent", "-d", "1,x"}), 2, "1,x");
  expect_refusal(run_tool({"bench", "-m", "/nonexistent", "-o", "xml"}), 2, "xml");
  expect_refusal(run_tool({"bench", "-m", "/nonexistent", "--quantize", "q2_k"}), 2, "q2_k");
  expect_refusal(run_tool({"bench", "-m", "/nonexistent", "--quantize", "Q8_0"}), 1,
                 "/nonexistent");
}

}  // namespace
}  // namespace laconic::test
