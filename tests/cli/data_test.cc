// SPDX-License-Identifier: Apache-2.0
// laconic data: problems as lines, a vocabulary as a folder, and what is refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <set>
#include <sstream>

#include "base/file.h"
#include "test_paths.h"
#include "tool.h"

namespace laconic::test {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;

std::vector<std::string> problems(std::vector<std::string> more) {
  std::vector<std::string> all = {"data", "problems"};
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

std::vector<Json> lines(const std::string& text) {
  std::vector<Json> out;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    out.push_back(Json::parse(line, nullptr, false));
  }
  return out;
}

TEST(DataProblems, AreLinesOfTheSplitSeedAndFamilies) {
  const Outcome outcome = run_tool(problems({"--split", "test", "-n", "9", "--seed", "3"}));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.err, "");
  std::set<std::string> families, ids;
  for (const Json& line : lines(outcome.out)) {
    ASSERT_TRUE(line.is_object());
    families.insert(line["family"].get<std::string>());
    ids.insert(line["id"].get<std::string>());
    EXPECT_THAT(line["id"].get<std::string>(), HasSubstr("-test-3-"));
    EXPECT_THAT(line["answer"].get<std::string>(), HasSubstr("\n#### "));
    EXPECT_NE(line["question"], "");
  }
  EXPECT_EQ(families, (std::set<std::string>{"ledger", "passcode", "quantities"}));
  EXPECT_EQ(ids.size(), 9u);
  EXPECT_EQ(run_tool(problems({"--split", "test", "-n", "9", "--seed", "3"})).out, outcome.out);
  EXPECT_NE(run_tool(problems({"--split", "train", "-n", "9", "--seed", "3"})).out, outcome.out);

  const Outcome two = run_tool(problems({"--split", "train", "-n", "6", "--family", "ledger",
                                         "--family", "passcode", "--difficulty", "0.3"}));
  families.clear();
  for (const Json& line : lines(two.out)) families.insert(line["family"].get<std::string>());
  EXPECT_EQ(families, (std::set<std::string>{"ledger", "passcode"}));
}

TEST(DataProblems, AFileHoldsWhatStdoutWould) {
  TemporaryFolder folder;
  const std::string path = folder / "p.jsonl";
  write_file_atomic(path, "an earlier one\n");  // replaced as a whole
  const Outcome file = run_tool(problems({"--split", "train", "-n", "5", "-o", path}));
  ASSERT_EQ(file.code, 0) << file.err;
  EXPECT_EQ(file.out, "");
  EXPECT_EQ(read_file(path), run_tool(problems({"--split", "train", "-n", "5"})).out);
}

TEST(DataProblems, RefusalsComeBeforeTheWork) {
  TemporaryFolder folder;
  expect_refusal(run_tool({"data"}), 2, "subcommand");
  expect_refusal(run_tool({"data", "poems"}), 2, "poems");
  expect_refusal(run_tool(problems({"-n", "5"})), 2, "--split");
  expect_refusal(run_tool(problems({"--split", "train"})), 2, "--n");
  expect_refusal(run_tool(problems({"--split", "dev", "-n", "5"})), 2, "dev");
  expect_refusal(run_tool(problems({"--split", "train", "-n", "0"})), 2, "--n 0 is out of range");
  const auto refused = [](std::vector<std::string> flags, int code, const std::string& part) {
    flags.insert(flags.begin(), {"--split", "train", "-n", "2000000000"});
    expect_refusal(run_tool(problems(flags)), code, part);
  };
  refused({"--family", "riddles"}, 2, "riddles");
  refused({"--family", "riddles"}, 2, "quantities, ledger and passcode");
  refused({"--family", "ledger", "--family", "ledger"}, 2, "twice");
  for (const char* difficulty : {"0", "-1", "1.01"}) {
    refused({"--difficulty", difficulty}, 2, std::string("--difficulty ") + difficulty);
  }
  refused({"--difficulty", "hard"}, 2, "hard");
  refused({"--seed", "-1"}, 2, "--seed -1");
  refused({"-o", ""}, 2, "--out is empty");
  refused({"-o", folder.path()}, 1, "is a directory");
  refused({"-o", folder / "no/p.jsonl"}, 1, "no folder");
}

TEST(DataProblems, AnInterruptedFileIsNotThere) {
  TemporaryFolder folder;
  bool interrupted = false;
  for (int attempt = 0; attempt < 10 && !interrupted; ++attempt) {
    ToolProcess process(
        problems({"--split", "train", "-n", "2000000000", "-o", folder / "p.jsonl"}));
    ::usleep(100000);
    process.send(SIGINT);
    const Outcome outcome = process.finish();
    EXPECT_EQ(outcome.code, 128 + SIGINT) << outcome.err;
    interrupted = outcome.err.find("interrupted") != std::string::npos;
    EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
  }
  EXPECT_TRUE(interrupted);
}

TEST(DataProblems, AFullDiskUnderStdoutEndsALongRun) {
  if (!std::filesystem::exists("/dev/full")) GTEST_SKIP() << "absent: /dev/full";
  const Outcome outcome =
      run_shell("$LACONIC data problems --split train -n 2000000000 2>&1 >/dev/full");
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.out, HasSubstr("standard output cannot be written"));
}

TEST(DataVocabulary, TokenizesTheProblemsDigitByDigit) {
  TemporaryFolder folder;
  const std::string out = folder / "v";
  const Outcome made =
      run_tool({"data", "vocabulary", "-n", "30", "--vocab-size", "400", "-o", out});
  ASSERT_EQ(made.code, 0) << made.err;
  EXPECT_EQ(made.out, out + ": 400 tokens from 30 problems\n");
  const Outcome ids = run_tool({"tokenize", out, "-p", "1234"});
  EXPECT_EQ(ids.json(), Json({'1', '2', '3', '4'}));
  const std::string text = "Ann has 12.\n</think>\n\n\\boxed{12}";
  const std::string again = run_tool({"tokenize", out, "-p", text}).out;
  EXPECT_EQ(run_tool({"tokenize", out, "--detokenize", "-p", again}).out, text);

  // As many tokens as the problems have, and the same ones each time.
  for (const char* name : {"a", "b"}) {
    const Outcome most =
        run_tool({"data", "vocabulary", "-n", "30", "--vocab-size", "9999", "-o", folder / name});
    ASSERT_EQ(most.code, 0) << most.err;
    EXPECT_THAT(most.out, EndsWith("no pairs are left to join\n"));
  }
  EXPECT_TRUE(read_file(folder.path() / "a" / "tokenizer.json") ==
              read_file(folder.path() / "b" / "tokenizer.json"));
}

// Through make-model and quantize, as a trained model goes.
TEST(DataVocabulary, IsTheSameInAGguf) {
  TemporaryFolder folder;
  const std::string words = folder / "v", model = folder / "m", gguf = folder / "m.gguf";
  ASSERT_EQ(run_tool({"data", "vocabulary", "-n", "30", "--vocab-size", "400", "-o", words}).code,
            0);
  ASSERT_EQ(run_tool({"make-model", "--like", "tiny", "--tokenizer", words, "--out", model}).code,
            0);
  ASSERT_EQ(run_tool({"quantize", model, gguf, "--type", "f16"}).code, 0);
  const Json tokenizer = run_tool({"inspect", gguf, "--json"}).json()["tokenizer"];
  EXPECT_EQ(tokenizer["pre"], "gpt-2");
  const std::string line = run_tool(problems({"--split", "test", "-n", "1"})).out;
  for (const std::string& text :
       {line, std::string("<think>12 a1</think><|im_end|> caf\xc3\xa9")}) {
    EXPECT_EQ(run_tool({"tokenize", gguf, "-f", "-"}, text).out,
              run_tool({"tokenize", words, "-f", "-"}, text).out);
  }
  // The template opens the block: what comes first is thinking.
  const std::string ids = run_tool({"tokenize", gguf, "-p", "so</think>\n\n7"}).out;
  const Json j = run_tool({"run", "-m", gguf, "-p", "Hi", "--force-ids", ids, "--json"}).json();
  EXPECT_EQ(j["reasoning"], "so");
  EXPECT_EQ(j["answer"], "7");
}

TEST(DataVocabulary, RefusalsComeBeforeTheWork) {
  TemporaryFolder folder;
  write_file_atomic(folder.path() / "tokenizer.json", "{}");
  const auto refused = [&](std::vector<std::string> flags, int code, const std::string& part) {
    flags.insert(flags.begin(), {"data", "vocabulary"});
    expect_refusal(run_tool(flags), code, part);
  };
  const std::string most = "2000000000", out = folder / "v";
  refused({"-n", "5"}, 2, "--out");
  refused({"-o", out}, 2, "--n");
  refused({"-n", "0", "-o", out}, 2, "--n 0");
  refused({"-n", most, "-o", ""}, 2, "--out is empty");
  refused({"-n", most, "-o", out, "--vocab-size", "260"}, 2, "261");
  refused({"-n", most, "-o", out, "--vocab-size", "9999999"}, 2, "at most");
  refused({"-n", most, "-o", folder.path()}, 1, "tokenizer.json exists");
  refused({"-n", most, "-o", folder / "tokenizer.json"}, 1, "not a folder");
  refused({"-n", most, "-o", folder / "no/v"}, 1, "no folder");
}

}  // namespace
}  // namespace laconic::test
