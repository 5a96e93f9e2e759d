// SPDX-License-Identifier: Apache-2.0
// `laconic run --session`: a text that goes on in the next call, as ids and as a conversation.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "test_paths.h"
#include "tool.h"

namespace laconic::test {
namespace {

using ::testing::HasSubstr;
using Arguments = std::vector<std::string>;

constexpr const char* kHistory =
    "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}[assistant]";

class RunSession : public ::testing::Test {
 protected:
  void SetUp() override {
    make_tiny(model());
    write_file_atomic(folder_ / "chat.jinja", kHistory);
  }
  std::string model() const { return folder_ / "tiny"; }
  std::string file() const { return folder_ / "session"; }

  Outcome run(const Arguments& more) const {
    Arguments all = {"run", "-m", model(), "--session", file()};
    all.insert(all.end(), more.begin(), more.end());
    return run_tool(all);
  }
  Json run_json(Arguments more) const {
    more.insert(more.end(), {"--ignore-eos", "--json"});
    const Outcome outcome = run(more);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return outcome.json();
  }
  Json chat(const std::string& message, Arguments more = {}) const {
    more.insert(more.end(), {"-p", message, "--chat-template-file", folder_ / "chat.jinja"});
    return run_json(more);
  }

  TemporaryFolder folder_;
};

TEST_F(RunSession, IdsGoOn) {
  run_json({"--ids", "1,2,3", "-n", "8"});
  const Json next = run_json({"--ids", "4,5", "-n", "8"});
  EXPECT_EQ(next["prompt_ids"], (std::vector<int>{4, 5}));
  EXPECT_EQ(next["timings"]["prompt_n"], 3);  // with the last token of the first answer
  EXPECT_EQ(next["kv"]["rows"][0][0], 3 + 8 + 2 + 7);
}

TEST_F(RunSession, AnAnswerThatWasCutShortGoesOn) {
  const Json whole = run_tool({"run", "-m", model(), "--ids", "1,2,3", "-n", "12", "--ignore-eos",
                               "--json", "--kv-type", "f32"})
                         .json();
  const Json first = run_json({"--ids", "1,2,3", "-n", "5", "--kv-type", "f32"});
  const Json rest = run_json({"-n", "7", "--kv-type", "f32"});
  Json together = first["ids"];
  together.insert(together.end(), rest["ids"].begin(), rest["ids"].end());
  EXPECT_EQ(together, whole["ids"]);
  EXPECT_TRUE(rest["prompt_ids"].empty());
}

TEST_F(RunSession, AnEvictedCacheGoesOn) {
  const Arguments rpc = {"--kv-policy", "rpc", "--kv-interval", "8",
                         "--kv-window", "4",   "--kv-ratio",    "4",
                         "-n",          "30"};
  Arguments first = rpc, second = rpc;
  first.insert(first.end(), {"--ids", "1,2,3"});
  second.insert(second.end(), {"--ids", "4"});
  const Json before = run_json(first);
  const Json after = run_json(second);
  EXPECT_EQ(before["kv"]["compressions"], 3);  // at 12, 20 and 28 of 29 tokens that were read
  const int held = before["kv"]["rows"][0][0];
  EXPECT_EQ(held, 3 + 3 * 2 + 4 + 1);
  EXPECT_EQ(after["kv"]["rows"][0][0], held + 2 + 3 * 2 + 4 + 1);
}

TEST_F(RunSession, AConversationReadsOnlyTheNewMessage) {
  const Json first = chat("one", {"-n", "3"});
  const Json second = chat("one", {"-n", "3"});
  const Json third = chat("one", {"-n", "3"});
  const int read = first["timings"]["prompt_n"];
  EXPECT_EQ(second["timings"]["prompt_n"], read + 1);
  EXPECT_EQ(third["timings"]["prompt_n"], read + 1);
}

TEST_F(RunSession, AMessageThatWasCutShortGoesOn) {
  const Json whole = chat("one", {"-n", "6", "--kv-type", "f32"});
  std::filesystem::remove(file());
  const Json first = chat("one", {"-n", "2", "--kv-type", "f32"});
  const Json rest = run_json({"-n", "4", "--kv-type", "f32"});
  Json together = first["ids"];
  together.insert(together.end(), rest["ids"].begin(), rest["ids"].end());
  EXPECT_EQ(together, whole["ids"]);
  // Still a conversation, which another message follows.
  EXPECT_EQ(chat("two", {"-n", "1", "--kv-type", "f32"})["ids"].size(), 1u);
}

TEST_F(RunSession, AChangedHistoryIsReadAgain) {
  write_file_atomic(folder_ / "chat.jinja",
                    "{{ messages | length }}{{ messages[-1].content }}[assistant]");
  const Json first = chat("one", {"-n", "3"});
  const Json second = chat("one", {"-n", "3"});
  EXPECT_EQ(second["timings"]["prompt_n"], first["timings"]["prompt_n"]);
}

TEST_F(RunSession, SaysWhatItKept) {
  const Outcome outcome = run({"--ids", "1,2,3", "-n", "8", "--ignore-eos"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("session " + file() + ": 11 tokens"));
}

TEST_F(RunSession, RefusesWhatDoesNotFit) {
  expect_refusal(run({"-n", "3"}), 2, "a prompt is missing");
  expect_refusal(run({"-cnv"}), 2, "--session is for a single answer");
  run_json({"--ids", "1,2,3", "-n", "3"});
  const std::string before = read_file(file());
  expect_refusal(run({"--ids", "4", "-n", "3", "--kv-type", "f32"}), 2, "--kv-type f16");
  expect_refusal(run({"--ids", "4", "-n", "3", "--kv-policy", "rpc"}), 2, "--kv-policy full");
  expect_refusal(run({"-p", "x", "--chat-template-file", folder_ / "chat.jinja"}), 2,
                 "holds no conversation");
  expect_refusal(
      run({"-p", "x", "--system-prompt", "y", "--chat-template-file", folder_ / "chat.jinja"}), 2,
      "--system-prompt has no effect");
  EXPECT_EQ(read_file(file()), before);
  write_file_atomic(file(), before.substr(0, before.size() / 2));
  expect_refusal(run({"--ids", "4", "-n", "3"}), 1, "cut short");
  write_file_atomic(file(), "my notes");
  expect_refusal(run({"--ids", "4", "-n", "3"}), 1, "is not a saved session");
  EXPECT_EQ(read_file(file()), "my notes");
}

}  // namespace
}  // namespace laconic::test
