// SPDX-License-Identifier: Apache-2.0
// `laconic run --session`: a text that goes on in the next call, as ids and as a conversation.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "laconic/session.h"
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

  // The answer, or more of it, is these ids.
  Json say(const std::string& ids, Arguments more = {}) const {
    more.insert(more.end(), {"--force-ids", ids, "--json"});
    const Outcome outcome = run(more);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return outcome.json();
  }
  Arguments message(const std::string& text) const {
    return {"-p", text, "--chat-template-file", folder_ / "chat.jinja"};
  }
  // What the next message is read with, where the template makes all of it be read again.
  std::string history() const {
    write_file_atomic(folder_ / "chat.jinja", "{{ messages | length }}" + std::string(kHistory));
    return text_of(say("120", message("next"))["prompt_ids"]);
  }
  std::string text_of(const Json& ids) const {
    return run_tool({"tokenize", model(), "--detokenize", "-p", ids.dump()}).out;
  }
  Json whole(const Arguments& more) const {
    Arguments all = {"run", "-m", model(), "--ignore-eos", "--json", "--kv-type", "f32"};
    all.insert(all.end(), more.begin(), more.end());
    return run_tool(all).json();
  }

  TemporaryFolder folder_;
};

Json joined(Json first, const Json& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

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

// A cut goes through 中 (228, 184, 173), through nothing, and right behind </think> (260).
TEST_F(RunSession, AMessageIsPutTogetherFromItsIds) {
  say("97,228", message("one"));
  say("184");
  const Json rest = say("173,98");
  EXPECT_EQ(rest["text"],
            "\u4e2d"
            "b");
  // The template goes on from what was said: only the new message is read.
  EXPECT_EQ(text_of(say("120", message("two"))["prompt_ids"]), "[user]two[assistant]");
  EXPECT_EQ(history(),
            "5[user]one[assistant]a\u4e2d"
            "b[user]two[assistant]x[user]next[assistant]");
}

TEST_F(RunSession, AThoughtThatWasCutShortIsNoAnswer) {
  const std::string template_text = std::string(kHistory) + "<think>";
  write_file_atomic(folder_ / "chat.jinja", template_text);
  EXPECT_EQ(say("104,109,10", message("one"))["reasoning"], "hm\n");
  const Json closed = say("260");
  EXPECT_EQ(closed["reasoning"], "");
  EXPECT_EQ(closed["answer"], "");
  const Json rest = say("10,10,111,107");
  EXPECT_EQ(rest["reasoning"], "");
  EXPECT_EQ(rest["answer"], "ok");
  EXPECT_EQ(history(), "3[user]one[assistant]ok[user]next[assistant]");
}

TEST_F(RunSession, AnAnswerGoesOnBehindAStopText) {
  const std::string template_text = std::string(kHistory) + "<think>";
  write_file_atomic(folder_ / "chat.jinja", template_text);
  Arguments thought = {"-n", "20", "--reasoning-budget", "3", "--stop", "</think>"};
  const Json cut = chat("one", thought);
  EXPECT_EQ(cut["finish_reason"], "stop");
  EXPECT_EQ(cut["ids"].back(), 260);
  const Json rest = say("10,10,111,107");
  EXPECT_EQ(rest["reasoning"], "");
  EXPECT_EQ(rest["answer"], "ok");
  EXPECT_EQ(history(), "3[user]one[assistant]ok[user]next[assistant]");
}

TEST_F(RunSession, AStopTextIsNoPartOfTheMessage) {
  const Json first = run_tool({"run", "-m", model(), "-p", "one", "-n", "1", "--json",
                               "--ignore-eos", "--chat-template-file", folder_ / "chat.jinja"})
                         .json();
  ASSERT_NE(first["text"], "");
  EXPECT_EQ(chat("one", {"--stop", first["text"]})["text"], "");
  EXPECT_EQ(history(), "3[user]one[assistant][user]next[assistant]");
}

TEST_F(RunSession, GoesOnWhereTheLastTokenWasRead) {
  const Json all = whole({"--ids", "1,2,3", "-n", "10"});
  const Arguments start = {"--ids", "1,2,3", "--kv-type", "f32"};
  const auto with = [](Arguments first, const Arguments& more) {
    first.insert(first.end(), more.begin(), more.end());
    return first;
  };
  const Json first = run_json(with(start, {"-n", "5", "--logits-out", folder_ / "logits"}));
  const Json rest = run_json({"-n", "5", "--kv-type", "f32"});
  EXPECT_EQ(joined(first["ids"], rest["ids"]), all["ids"]);
  EXPECT_EQ(rest["timings"]["prompt_n"], 0);

  std::filesystem::remove(file());  // the cache is filled ahead
  EXPECT_TRUE(run_json(with(start, {"-n", "0"}))["ids"].empty());
  EXPECT_EQ(run_json({"-n", "10", "--kv-type", "f32"})["ids"], all["ids"]);

  std::filesystem::remove(file());  // until the context is full, and on in a larger one
  const Json full = run_json(with(start, {"-c", "8"}));
  EXPECT_EQ(full["ids"].size(), 5u);
  for (int i = 0; i < 3; ++i) {
    const Json none = run_json({"-c", "8", "--kv-type", "f32"});
    EXPECT_TRUE(none["ids"].empty());
    EXPECT_EQ(none["finish_reason"], "length");
  }
  EXPECT_EQ(run_json({"-n", "5", "--kv-type", "f32"})["ids"].size(), 5u);
}

// The end token that a prompt ends with ends no answer.
TEST_F(RunSession, APromptIsNoCompleteAnswer) {
  run_json({"--ids", "1,2,258", "-n", "0"});
  const Outcome outcome = run({"-n", "1", "--json"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.json()["ids"].size(), 1u);
}

TEST_F(RunSession, ADeeplyNestedNoteIsRefused) {
  run_json({"--ids", "1,2,3", "-n", "3"});
  const Model opened = Model::open(model());
  Session session(opened);
  const SequenceId id = session.load(file());
  const std::string deep = std::string(1 << 20, '[') + std::string(1 << 20, ']');
  session.save(id, file(), R"({"answer":3,"thinking":false,"messages":)" + deep + "}");
  expect_refusal(run({"--ids", "4"}), 1, "nests deeper than 128 levels");
  session.save(id, file(), R"({"answer":7,"thinking":false})");
  expect_refusal(run({"--ids", "4"}), 1, "begins behind 7 tokens, the text has 6");
  // Of another program's note nothing is known, and nothing needed.
  for (const char* note : {"", "mine", "[1]", "{}"}) {
    session.save(id, file(), note);
    EXPECT_EQ(run_json({"-n", "2"})["ids"].size(), 2u) << note;
  }
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
  expect_refusal(run({"--chat-template-file", folder_ / "chat.jinja", "-n", "3"}), 2,
                 "--chat-template-file has no effect");
  expect_refusal(run({"--raw", "-n", "3"}), 2, "--raw has no effect");
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
