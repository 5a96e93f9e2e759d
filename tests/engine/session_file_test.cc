// SPDX-License-Identifier: Apache-2.0
// Saved sessions: what a file makes of a sequence goes on as the sequence itself does, bit for bit,
// and a file that does not fit is refused with the reason.
#include "engine/session_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <functional>
#include <map>

#include "engine/generation_compare.h"
#include "kv/schedule.h"
#include "laconic/error.h"

namespace laconic::test {
namespace {

using ::testing::HasSubstr;
using Flags = std::map<std::string, std::string>;

struct Named {
  const char* name;
  KvOptions kv;
};

Flags with(Flags base, const Flags& more) {
  for (const auto& [name, value] : more) base[name] = value;
  return base;
}

// Every kind of state that a cache can have: whole, evicted, summed, constant, both.
std::vector<Named> every_kind() {
  const Flags often = {{"interval", "12"}, {"ratio", "4"}, {"type", "f16"}};
  const Flags windowed = with(often, {{"window", "4"}});
  const Flags budget = {{"interval", "12"},
                        {"budget", "32"},
                        {"protect-prompt", "false"},
                        {"window", "4"},
                        {"type", "bf16"}};
  const Flags heads = {{"heads", "random:3"}, {"sparsity", "0.5"}, {"sink", "2"}, {"recent", "6"}};
  const auto of = [](const char* policy, const Flags& flags) {
    return KvOptions::parse(policy, flags);
  };
  return {{"full", of("full", {{"type", "f32"}})},
          {"rpc", of("rpc", windowed)},
          {"rpc_kv_head", of("rpc", with(windowed, {{"granularity", "kv_head"}}))},
          {"random", of("random", windowed)},
          {"h2o", of("h2o", often)},
          {"h2o_budget", of("h2o", budget)},
          {"tova", of("tova", often)},
          {"snapkv", of("snapkv", budget)},
          {"knorm", of("knorm", often)},
          {"streaming", of("streaming", with(often, {{"positions", "cache"}}))},
          {"heads", of("full", with(heads, {{"type", "f16"}}))},
          {"q8_0", of("full", {{"type", "q8_0"}})},
          {"rpc_q8_0_on_heads", of("rpc", with(with(windowed, heads), {{"type", "q8_0"}}))},
          {"rpc_on_heads", of("rpc", with(windowed, heads))},
          {"h2o_on_heads", of("h2o", with(often, heads))}};
}

SessionOptions options_of(const KvOptions& kv) {
  SessionOptions options = f32_rows();
  options.kv = kv;
  return options;
}

GenerateOptions with_logits(std::int64_t tokens) {
  GenerateOptions options = greedy(tokens);
  options.keep_logits = true;
  return options;
}

void finish(Session& session) {
  while (session.step()) {
  }
}

SequenceId answered(Session& session, std::size_t prompt, std::int64_t tokens,
                    std::uint32_t seed = 1) {
  const SequenceId id = session.add(random_ids(prompt, seed), greedy(tokens));
  finish(session);
  return id;
}

// What goes on from the sequence itself and from its file. False where they differ.
bool goes_on_alike(Session& kept, SequenceId id, Session& restored, SequenceId twin,
                   std::size_t more, std::int64_t tokens, std::uint32_t seed) {
  kept.extend(id, random_ids(more, seed), with_logits(tokens));
  restored.extend(twin, random_ids(more, seed), with_logits(tokens));
  finish(kept);
  finish(restored);
  const Generation &a = kept.result(id), &b = restored.result(twin);
  return a.ids == b.ids && a.logits == b.logits && a.kv.rows == b.kv.rows &&
         a.kv.compressions == b.kv.compressions;
}

class SavedSession : public ::testing::TestWithParam<Named> {
 protected:
  std::filesystem::path file() const { return folder_ / "session"; }
  TemporaryFolder folder_;
};

// Before, at and after a compression; continuations that are shorter and longer than a window.
TEST_P(SavedSession, GoesOnAsIfItHadNeverLeft) {
  const SessionOptions options = options_of(GetParam().kv);
  for (const std::int64_t tokens : {1, 13, 40}) {
    for (const std::size_t more : {std::size_t{1}, std::size_t{9}}) {
      Session kept(tiny_model(), options), restored(tiny_model(), options);
      const SequenceId id = answered(kept, 20, tokens);
      kept.save(id, file());
      const SequenceId twin = restored.load(file());
      EXPECT_EQ(restored.result(twin).kv.rows, kept.result(id).kv.rows);
      EXPECT_TRUE(goes_on_alike(kept, id, restored, twin, more, 30, 2));
      // And once more, from what has gone on.
      restored.save(twin, file());
      Session third(tiny_model(), options);
      EXPECT_TRUE(goes_on_alike(kept, id, third, third.load(file()), more, 20, 3));
    }
  }
}

// Where the last token was read for its logits, or none was asked for, these are in the file. Rows
// beyond a budget stay until the first trigger: no query has come that could rank them.
TEST_P(SavedSession, GoesOnBehindATokenThatWasRead) {
  const SessionOptions options = options_of(GetParam().kv);
  for (const std::int64_t tokens : {0, 1, 13, 40}) {
    Session kept(tiny_model(), options), restored(tiny_model(), options);
    const SequenceId id = kept.add(random_ids(20, 1), with_logits(tokens));
    finish(kept);
    kept.save(id, file());
    const SequenceId twin = restored.load(file());
    const std::size_t rows = kept.result(id).kv.rows[0][0];
    EXPECT_TRUE(goes_on_alike(kept, id, restored, twin, 0, 30, 2)) << tokens;
    const Generation& result = restored.result(twin);
    EXPECT_EQ(result.ids.size(), 30u);
    EXPECT_EQ(result.timings.prompt_n, 0u);
    if (!options.kv.heads.empty()) continue;
    EXPECT_EQ(result.kv.peak_rows, Schedule::peak_rows(resumed(options.kv), rows, 30)) << tokens;
  }
}

TEST_P(SavedSession, ItsFileTellsTheSameTwice) {
  const SessionOptions options = options_of(GetParam().kv);
  Session kept(tiny_model(), options), restored(tiny_model(), options);
  const SequenceId id = answered(kept, 20, 30);
  kept.save(id, file(), "note");
  std::string note;
  const SequenceId twin = restored.load(file(), &note);
  EXPECT_EQ(note, "note");
  restored.save(twin, folder_ / "again", note);
  EXPECT_EQ(read_file(folder_ / "again"), read_file(file()));
}

INSTANTIATE_TEST_SUITE_P(Policies, SavedSession, ::testing::ValuesIn(every_kind()),
                         [](const auto& test) { return test.param.name; });

RC_GTEST_PROP(SessionFileProperty, AnySequenceGoesOn, ()) {
  const std::vector<Named> kinds = every_kind();
  const auto kind = *rc::gen::inRange<std::size_t>(0, kinds.size());
  const SessionOptions options = options_of(kinds[kind].kv);
  Session kept(tiny_model(), options), restored(tiny_model(), options);
  // Constant heads fill their block while the prompt is shorter.
  const SequenceId id =
      answered(kept, *rc::gen::inRange<std::size_t>(1, 80), *rc::gen::inRange<std::int64_t>(1, 50));
  const TemporaryFolder folder;
  kept.save(id, folder / "session");
  RC_ASSERT(goes_on_alike(kept, id, restored, restored.load(folder / "session"),
                          *rc::gen::inRange<std::size_t>(1, 30),
                          *rc::gen::inRange<std::int64_t>(1, 30), 5));
}

class SessionFile : public ::testing::Test {
 protected:
  void SetUp() override {
    Session session(tiny_model(), options());
    const SequenceId id = answered(session, 20, 30);
    ids_.assign(session.ids(id).begin(), session.ids(id).end());
    session.save(id, file(), "what the caller wants");
    bytes_ = read_file(file());
  }

  static SessionOptions options() { return options_of(small_rpc(12, 4, 4)); }
  std::filesystem::path file() const { return folder_ / "session"; }

  void expect_refused(const std::function<void()>& call, ErrorKind kind,
                      const std::string& part) const {
    try {
      call();
      FAIL() << "not refused: " << part;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), kind) << error.what();
      EXPECT_THAT(error.what(), HasSubstr(part));
    }
  }
  void expect_no_load(const SessionOptions& given, ErrorKind kind, const std::string& part) const {
    Session session(tiny_model(), given);
    expect_refused([&] { session.load(file()); }, kind, part);
  }
  // Whether these bytes are refused as a file; the session is as good as before.
  bool refused(Session& session, const std::string& bytes) const {
    write_file_atomic(file(), bytes);
    try {
      session.load(file());
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kInput) << error.what();
      return true;
    }
    return false;
  }

  TemporaryFolder folder_;
  std::vector<std::int32_t> ids_;
  std::string bytes_;
};

TEST_F(SessionFile, HoldsTextAndNote) {
  Session session(tiny_model(), options());
  std::string note;
  const SequenceId id = session.load(file(), &note);
  EXPECT_EQ(note, "what the caller wants");
  EXPECT_TRUE(std::equal(ids_.begin(), ids_.end(), session.ids(id).begin(), session.ids(id).end()));
  EXPECT_EQ(session.result(id).finish_reason, FinishReason::kNone);
  EXPECT_TRUE(session.result(id).ids.empty());
}

// Without eviction the cut leaves no trace.
TEST_F(SessionFile, LogitsOfTheLastTokenGoOnExactly) {
  for (const Named& kind : every_kind()) {
    if (kind.kv.evicts()) continue;
    const auto prompt = random_ids(20, 1);
    const Generation whole =
        Session(tiny_model(), options_of(kind.kv)).generate(prompt, with_logits(40));
    Session session(tiny_model(), options_of(kind.kv));
    const SequenceId id = session.add(prompt, with_logits(0));
    finish(session);
    std::vector<std::int32_t> ids;
    for (const std::int64_t tokens : {0, 17, 0, 23}) {
      session.extend(id, {}, with_logits(tokens));
      finish(session);
      const Generation& part = session.result(id);
      EXPECT_TRUE(part.logits.front() == whole.logits[ids.size()]) << kind.name << ids.size();
      ids.insert(ids.end(), part.ids.begin(), part.ids.end());
    }
    EXPECT_EQ(ids, whole.ids) << kind.name;
  }
}

TEST_F(SessionFile, NothingToReadAndNoLogitsIsRefused) {
  Session session(tiny_model(), options());
  expect_refused([&] { session.add({}, greedy(3)); }, ErrorKind::kUsage, "the prompt is empty");
  const SequenceId id = answered(session, 20, 3);
  GenerateOptions more = greedy(3);
  more.answered = 24;
  expect_refused([&] { session.extend(id, {}, more); }, ErrorKind::kUsage, "the text has 23");
  more.answered = 3;
  expect_refused([&] { session.extend(id, random_ids(1, 1), more); }, ErrorKind::kUsage,
                 "a prompt comes after it");
}

TEST_F(SessionFile, RefusesAnotherModel) {
  make_random_model(known_model("tiny"), folder_ / "other.gguf", DType::kF32, {}, /*seed=*/8);
  const Model other = Model::open(folder_ / "other.gguf");
  Session session(other, options());
  expect_refused([&] { session.load(file()); }, ErrorKind::kInput, "of another model");
}

TEST_F(SessionFile, RefusesOtherOptionsAndNamesOne) {
  SessionOptions other = options();
  other.kv.interval = 16;
  expect_no_load(other, ErrorKind::kUsage, "--kv-interval 12, now it is 16");
  other = options();
  other.kv.type = KvType::kF16;
  expect_no_load(other, ErrorKind::kUsage, "--kv-type f32, now it is f16");
  other.kv = small_random(12, 4, 4);
  expect_no_load(other, ErrorKind::kUsage, "--kv-policy rpc, now it is random");
  other = options();
  other.kv.heads = "random:1";
  other.kv.sparsity = "0.5";
  expect_no_load(other, ErrorKind::kUsage, "without --kv-heads");
}

TEST_F(SessionFile, RefusesOtherHeads) {
  SessionOptions heads = options();
  heads.kv.heads = "random:1";
  heads.kv.sparsity = "0.5";
  {
    Session session(tiny_model(), heads);
    session.save(answered(session, 20, 3), file());
  }
  expect_no_load(options(), ErrorKind::kUsage, "with --kv-heads");
  // The same heads by another way to say it are the same.
  SessionOptions same = heads;
  same.kv.sparsity = "0.50";
  Session session(tiny_model(), same);
  session.load(file());
  heads.kv.sparsity = "0.8";
  expect_no_load(heads, ErrorKind::kUsage, "other full heads");
}

TEST_F(SessionFile, RefusesAnotherVersionAndWhatIsNone) {
  std::string other = bytes_;
  other[8] = 9;
  write_file_atomic(file(), other);
  expect_no_load(options(), ErrorKind::kInput, "version 9 of saved sessions is not known");
  write_file_atomic(file(), "a text");
  expect_no_load(options(), ErrorKind::kInput, "is not a saved session");
  write_file_atomic(file(), "");
  expect_no_load(options(), ErrorKind::kInput, "is not a saved session");
  std::filesystem::remove(file());
  expect_no_load(options(), ErrorKind::kInput, "cannot open");
}

TEST_F(SessionFile, RefusesWhatIsCutShort) {
  Session session(tiny_model(), options());
  for (std::size_t size = 0; size < bytes_.size(); size += size < 64 ? 1 : 499) {
    EXPECT_TRUE(refused(session, bytes_.substr(0, size))) << size;
  }
  write_file_atomic(file(), bytes_.substr(0, bytes_.size() - 1));
  expect_no_load(options(), ErrorKind::kInput, "cut short");
  EXPECT_TRUE(refused(session, bytes_ + '\0'));
}

TEST_F(SessionFile, RefusesEveryFlippedBit) {
  Session session(tiny_model(), options());
  for (std::size_t at = 0; at < bytes_.size(); at += at < 1024 ? 1 : 101) {
    std::string damaged = bytes_;
    damaged[at] = static_cast<char>(damaged[at] ^ (1 << at % 8));
    EXPECT_TRUE(refused(session, damaged)) << at;
  }
  EXPECT_FALSE(refused(session, bytes_));
}

TEST_F(SessionFile, RefusesATextLongerThanTheContext) {
  SessionOptions shorter = options();
  shorter.context = ids_.size() - 1;
  expect_no_load(shorter, ErrorKind::kUsage, "--ctx-size allows");
}

TEST_F(SessionFile, SavesOnlyWhatHasFinishedAndHasRows) {
  SessionOptions small = options();
  const ModelInfo& info = tiny_model().info();
  small.kv_memory = 64 * 2 * info.head_dim * sizeof(float) * info.layers * info.kv_heads;
  Session session(tiny_model(), small);
  const SequenceId first = session.add(random_ids(10, 1), greedy(20));
  session.step();
  expect_refused([&] { session.save(first, folder_ / "no"); }, ErrorKind::kUsage,
                 "has not finished");
  finish(session);
  answered(session, 10, 5);
  expect_refused([&] { session.save(first, folder_ / "no"); }, ErrorKind::kUsage, "give way");
  session.release(first);
  expect_refused([&] { session.save(first, folder_ / "no"); }, ErrorKind::kUsage, "does not exist");
  EXPECT_FALSE(std::filesystem::exists(folder_ / "no"));
}

TEST_F(SessionFile, FinishedSequencesGiveWay) {
  SessionOptions small = options();
  const ModelInfo& info = tiny_model().info();
  const std::size_t page = 64 * 2 * info.head_dim * sizeof(float) * info.layers * info.kv_heads;
  small.kv_memory = page;
  Session session(tiny_model(), small);
  const SequenceId first = answered(session, 10, 5);
  const SequenceId loaded = session.load(file());
  EXPECT_THROW(session.extend(first, random_ids(3, 1), greedy(3)), Error);
  session.extend(loaded, random_ids(3, 1), greedy(3));
  // Now it runs, and nothing is left to give.
  expect_refused([&] { session.load(file()); }, ErrorKind::kResource, "KiB of cache pages");
  finish(session);
  EXPECT_EQ(session.result(loaded).ids.size(), 3u);
}

TEST_F(SessionFile, ARefusedFileTakesNoRoom) {
  SessionOptions small = options();
  const ModelInfo& info = tiny_model().info();
  small.kv_memory = 64 * 2 * info.head_dim * sizeof(float) * info.layers * info.kv_heads;
  Session session(tiny_model(), small);
  std::string damaged = bytes_;
  damaged[damaged.size() - 20] = static_cast<char>(damaged[damaged.size() - 20] ^ 1);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(refused(session, damaged));
  EXPECT_EQ(session.generate(random_ids(10, 1), greedy(50)).finish_reason, FinishReason::kLength);
}

TEST_F(SessionFile, AFileThatCannotBeWrittenIsSaid) {
  Session session(tiny_model(), options());
  const SequenceId id = answered(session, 10, 5);
  expect_refused([&] { session.save(id, folder_ / "absent/session"); }, ErrorKind::kResource,
                 "cannot write");
}

// A sequence that was stopped while its prompt was read reads the rest when it goes on.
TEST_F(SessionFile, AnUnreadPromptIsReadLater) {
  SessionOptions chunks = options();
  chunks.batch_tokens = 8;
  Session kept(tiny_model(), chunks), restored(tiny_model(), chunks);
  const SequenceId id = kept.add(random_ids(30, 1), greedy(5));
  kept.step();
  kept.cancel(id);
  finish(kept);
  kept.save(id, file());
  const SequenceId twin = restored.load(file());
  EXPECT_EQ(restored.ids(twin).size(), 30u);
  EXPECT_EQ(restored.result(twin).kv.rows[0][0], 8u);
  EXPECT_TRUE(goes_on_alike(kept, id, restored, twin, 3, 30, 2));
  EXPECT_EQ(restored.result(twin).timings.prompt_n, 25u);
}

}  // namespace
}  // namespace laconic::test
