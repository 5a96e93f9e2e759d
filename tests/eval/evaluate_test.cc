// SPDX-License-Identifier: Apache-2.0
// Several arms, stopped and resumed.
#include "eval/evaluate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>

#include "base/file.h"
#include "eval/eval_testing.h"
#include "test_paths.h"

namespace laconic::test {
namespace {

struct Stop {};

class Evaluate : public ::testing::Test {
 protected:
  Evaluate() {
    for (const char* spec :
         {"full", "rpc:interval=16,window=4,ratio=4", "random:interval=16,window=4,ratio=4"}) {
      arms_.push_back(arm_of(spec, 40));
      arms_.back().generate.sampling.temperature = 0.8;
    }
  }

  using Progress = std::function<void(const EvaluationProgress&)>;
  std::vector<EvaluatedArm> run(bool with_file, const Progress& progress = {}) {
    std::optional<SampleFile> file;
    if (with_file) file.emplace(path());
    return evaluate(tiny_model(), {task_, limit_, arms_}, file ? &*file : nullptr, progress);
  }
  std::vector<std::vector<Json>> answers(bool with_file) {
    std::vector<std::vector<Json>> out;
    for (const EvaluatedArm& arm : run(with_file)) out.push_back(timeless(arm.samples));
    return out;
  }
  // Runs until the steps are spent; false when it came to its end before.
  bool stopped_after(std::size_t steps) {
    try {
      run(true, [&](const EvaluationProgress&) {
        if (steps-- == 0) throw Stop();
      });
    } catch (const Stop&) {
      return true;
    }
    return false;
  }
  void expect_refused(const std::string& part) {
    const std::string before = read_file(path());
    expect_error(ErrorKind::kInput, part, [&] { run(true); });
    EXPECT_EQ(read_file(path()), before);
  }
  std::string path() const { return folder_ / "samples.jsonl"; }
  std::size_t lines() const {
    const std::string content = read_file(path());
    return static_cast<std::size_t>(std::count(content.begin(), content.end(), '\n'));
  }

  TemporaryFolder folder_;
  std::vector<TaskItem> task_ = some_problems(9);
  std::vector<ArmOptions> arms_;
  std::size_t limit_ = 0;
};

TEST_F(Evaluate, StoppedAndResumedEqualsUndisturbed) {
  for (ArmOptions& arm : arms_) arm.batch = 2;
  const auto undisturbed = answers(false);
  std::size_t stops = 0;
  while (stopped_after(60)) {
    ++stops;
    ASSERT_LT(stops, 50u);
    // What a kill in the middle of a line leaves.
    write_file_atomic(path(), read_file(path()) + "{\"answer\":\"torn");
  }
  EXPECT_GT(stops, 3u);
  EXPECT_EQ(answers(true), undisturbed);
  EXPECT_EQ(lines(), 27u);  // nothing twice
  for (const EvaluatedArm& arm : run(true)) {
    EXPECT_EQ(arm.decoded, 0u);
    EXPECT_EQ(arm.totals.tokens, 0u);
  }
}

TEST_F(Evaluate, ArmsDoNotTouchEachOther) {
  const auto together = answers(false);
  EXPECT_NE(together[0][0]["kv"]["peak_bytes"], together[1][0]["kv"]["peak_bytes"]);
  const std::vector<ArmOptions> all = arms_;
  for (std::size_t i = all.size(); i-- > 0;) {
    arms_ = {all[i]};
    EXPECT_EQ(answers(false).front(), together[i]);
  }
}

TEST_F(Evaluate, ALimitTakesTheFirstProblems) {
  const auto all = answers(true);
  limit_ = 4;
  const auto some = answers(true);
  ASSERT_EQ(some[0].size(), 4u);
  EXPECT_TRUE(std::equal(some[1].begin(), some[1].end(), all[1].begin()));
  limit_ = 100;
  EXPECT_EQ(answers(true), all);
  EXPECT_EQ(lines(), 27u);
}

TEST_F(Evaluate, ArmsMayJoinLater) {
  const std::vector<ArmOptions> all = arms_;
  arms_.resize(1);
  run(true);
  arms_ = all;
  const auto arms = run(true);
  EXPECT_EQ(arms[0].decoded, 0u);
  EXPECT_EQ(arms[1].decoded, 9u);
  arms_ = {all[2]};
  EXPECT_EQ(run(true)[0].decoded, 0u);
}

TEST_F(Evaluate, WhatCannotChangeAnAnswerMayDiffer) {
  run(true);
  for (ArmOptions& arm : arms_) {
    arm.batch = 1;
    arm.session.threads = 2;
    arm.session.kv_memory *= 2;
  }
  for (const EvaluatedArm& arm : run(true)) EXPECT_EQ(arm.decoded, 0u);
}

TEST_F(Evaluate, SamplesOfSomethingElseAreRefused) {
  arms_.resize(2);
  limit_ = 2;
  run(true);
  const auto arms = arms_;
  const auto task = task_;

  arms_[0].generate.max_tokens = 41;
  expect_refused("line 1: max-tokens was 40, this run has 41");
  arms_ = arms;
  for (ArmOptions& arm : arms_) arm.generate.sampling.temperature = 0.5;
  expect_refused("temp was 0.8, this run has 0.5");
  arms_ = arms;
  arms_[1].session.kv.window = 5;  // under the same name
  expect_refused("kv-window was 4, this run has 5");
  arms_ = arms;
  arms_[0].instruction = arms_[1].instruction = "Be brief.";
  expect_refused("other words");
  arms_ = arms;
  task_[1].question += " Or two?";
  expect_refused("problem p1 is another one");
  task_ = task;
  task_[0].gold = "0";
  expect_refused("problem p0 is another one");
  task_ = task;
  task_.erase(task_.begin());
  expect_refused("problem p0 is not in this task");
  task_ = task;
  for (const EvaluatedArm& arm : run(true)) EXPECT_EQ(arm.decoded, 0u);
}

// A table of scores whose first or last heads are the best.
class EvaluateHeads : public Evaluate {
 protected:
  EvaluateHeads() {
    write_table(true);
    arms_ = {arm_of("full:heads=" + table() + ",sparsity=0.5,sink=2,recent=8", 40)};
    limit_ = 2;
  }
  std::string table() const { return folder_ / "heads.tsv"; }
  void write_table(bool first_are_best, double best = 0.9) const {
    const ModelInfo& info = tiny_model().info();
    const std::size_t count = info.layers * info.kv_heads;
    std::string text;
    for (std::size_t i = 0; i < count; ++i) {
      const bool good = (i < count / 2) == first_are_best;
      text += std::to_string(good ? best : 0.1) + ((i + 1) % info.kv_heads == 0 ? "\n" : "\t");
    }
    write_file_atomic(table(), text);
  }
};

TEST_F(EvaluateHeads, AnswersOfOtherHeadsAreRefused) {
  const auto first = run(true);
  const ModelInfo& info = tiny_model().info();
  ASSERT_EQ(first[0].full_heads.size(), info.layers);
  EXPECT_EQ(first[0].full_heads[0].size(), info.kv_heads);
  EXPECT_TRUE(first[0].full_heads[info.layers - 1].empty());
  // Other scores, the same heads.
  write_table(true, 0.8);
  EXPECT_EQ(run(true)[0].decoded, 0u);
  write_table(false);
  expect_refused("line 1: kv-full-heads was 3 of 6, ");
}

TEST_F(EvaluateHeads, ATableThatChangesUnderARunIsRefused) {
  arms_.insert(arms_.begin(), arm_of("full", 40));
  expect_error(ErrorKind::kInput, "heads.tsv has changed since the run began",
               [&] { run(true, [&](const EvaluationProgress&) { write_table(false); }); });
  EXPECT_EQ(lines(), 2u);  // those of the first arm stay
}

// Files of runs that did not write down heads go on where nothing can have changed.
TEST_F(EvaluateHeads, ArmsWithoutATableSayNothingOfHeads) {
  arms_ = {arm_of("full", 40), arm_of("rpc:interval=16,window=4", 40),
           arm_of("full:heads=random:1,sparsity=0.5,sink=2,recent=8", 40)};
  const auto arms = run(true);
  EXPECT_THAT(read_file(path()), ::testing::Not(::testing::HasSubstr("full-heads")));
  EXPECT_TRUE(arms[0].full_heads.is_null());
  EXPECT_EQ(arms[2].full_heads.size(), tiny_model().info().layers);
}

TEST_F(Evaluate, SamplesOfOtherWeightsAreRefused) {
  limit_ = 1;
  run(true);
  const Model other = random_model(8);
  SampleFile file(path());
  expect_error(ErrorKind::kInput, "line 1: model was ", [&] {
    evaluate(other, {task_, limit_, arms_}, &file);
  });
}

TEST_F(Evaluate, AnAnswerWithoutRoomIsDecodedAgain) {
  limit_ = 3;
  arms_.resize(1);
  arms_[0].generate.max_tokens = 900;
  arms_[0].generate.ignore_eos = true;
  arms_[0].generate.stop_on_loop = false;
  const auto expected = answers(false);
  const std::size_t enough = arms_[0].session.kv_memory;
  arms_[0].session.kv_memory = std::size_t{1} << 19;
  EXPECT_EQ(run(true)[0].samples[0].finish_reason, "kv_full");
  arms_[0].session.kv_memory = enough;
  EXPECT_EQ(answers(true), expected);
  EXPECT_EQ(answers(true), expected);
  EXPECT_EQ(lines(), 6u);
}

TEST_F(Evaluate, APromptWithoutRoomIsRefusedBeforeAnythingIsDecoded) {
  task_[8].question += std::string(800, '?');
  arms_[2].session.kv_memory = std::size_t{1} << 19;  // the last arm alone has no room
  std::size_t steps = 0;
  expect_error(ErrorKind::kResource,
               "problem p8: ", [&] { run(true, [&](const EvaluationProgress&) { ++steps; }); });
  EXPECT_EQ(steps, 0u);
  EXPECT_EQ(lines(), 0u);
}

TEST_F(Evaluate, StoredAnswersAreGradedAnew) {
  limit_ = 1;
  run(true);
  std::string content = read_file(path());
  const std::string found = "\"correct\":false";
  for (std::size_t at; (at = content.find(found)) != std::string::npos;) {
    content.replace(at, found.size(), "\"correct\":true");
  }
  write_file_atomic(path(), content);
  for (const EvaluatedArm& arm : run(true)) EXPECT_FALSE(arm.samples[0].correct);
}

TEST_F(Evaluate, ProgressEndsComplete) {
  EvaluationProgress last;
  std::size_t arm = 0;
  run(true, [&](const EvaluationProgress& progress) {
    EXPECT_TRUE(progress.arm == arm || progress.arm == arm + 1);
    EXPECT_EQ(progress.problems, 9u);
    arm = progress.arm;
    last = progress;
  });
  EXPECT_EQ(last.arm, 2u);
  EXPECT_EQ(last.finished, 9u);
  EXPECT_GT(last.tokens_per_second, 0);
  ASSERT_TRUE(last.seconds_left);
  EXPECT_EQ(*last.seconds_left, 0);
}

}  // namespace
}  // namespace laconic::test
