// SPDX-License-Identifier: Apache-2.0
// Decoding a problem set: what a sample says, and that it depends on its problem alone.
#include "eval/run_arm.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "eval/eval_testing.h"
#include "model/convert.h"
#include "test_paths.h"

namespace laconic::test {
namespace {

using ById = std::map<std::string, Json>;

ById samples_of(const std::vector<TaskItem>& items, const ArmOptions& arm) {
  ById out;
  run_arm(tiny_model(), items, arm, [&](const Sample& sample) {
    EXPECT_TRUE(out.emplace(sample.id, timeless(sample)).second) << sample.id;
  });
  EXPECT_EQ(out.size(), items.size());
  return out;
}

const std::vector<std::string> kArms = {"full", "rpc:interval=16,window=4,ratio=4",
                                        "random:interval=16,window=4,ratio=4"};

ArmOptions drawn(ArmOptions arm) {
  arm.generate.sampling.temperature = 0.9;
  arm.generate.sampling.seed = 3;
  return arm;
}

TEST(RunArm, ASampleDoesNotDependOnItsNeighbours) {
  const auto items = some_problems(9);
  auto shuffled = items;
  std::reverse(shuffled.begin(), shuffled.end());
  std::rotate(shuffled.begin(), shuffled.begin() + 4, shuffled.end());
  for (const std::string& name : kArms) {
    ArmOptions arm = drawn(arm_of(name, 40));
    const ById expected = samples_of(items, arm);
    for (const std::size_t batch : {1u, 8u}) {
      arm.batch = batch;
      EXPECT_EQ(samples_of(items, arm), expected) << name << " batch " << batch;
    }
    EXPECT_EQ(samples_of(shuffled, arm), expected) << name;
    // Memory for two answers at a time: the others wait.
    arm.session.kv_memory = std::size_t{1} << 19;
    arm.session.threads = name == "full" ? 2 : 1;
    EXPECT_EQ(samples_of(items, arm), expected) << name;
  }
}

TEST(RunArm, ProblemsDrawIndependently) {
  std::vector<TaskItem> items = some_problems(2);
  items[1].question = items[0].question;
  const ById samples = samples_of(items, drawn(arm_of("full")));
  EXPECT_NE(samples.at("p0")["ids"], samples.at("p1")["ids"]);
  ArmOptions other = drawn(arm_of("full"));
  other.generate.sampling.stream = 1;
  EXPECT_NE(samples_of(items, other).at("p0")["ids"], samples.at("p0")["ids"]);
}

TEST(RunArm, CountsAndProgressAddUp) {
  const auto items = some_problems(7);
  ArmOptions arm = arm_of("full", 30);
  arm.batch = 3;
  std::size_t tokens = 0, finished = 0, correct = 0, most_running = 0;
  ArmProgress last;
  const ArmTotals totals = run_arm(
      tiny_model(), items, arm,
      [&](const Sample& sample) {
        tokens += sample.ids.size();
        ++finished;
        correct += sample.correct ? 1 : 0;
      },
      [&](const ArmProgress& progress) {
        EXPECT_EQ(progress.finished, finished);
        EXPECT_EQ(progress.finished_tokens, tokens);
        EXPECT_GE(progress.tokens, last.tokens);
        most_running = std::max(most_running, progress.running);
        last = progress;
      });
  EXPECT_EQ(last.finished, 7u);
  EXPECT_EQ(last.correct, correct);
  EXPECT_EQ(last.running, 0u);
  EXPECT_EQ(last.tokens, tokens);
  EXPECT_EQ(totals.tokens, tokens);
  EXPECT_GT(totals.decode_seconds, 0);
  EXPECT_EQ(most_running, 3u);
}

TEST(RunArm, ASampleIsTheAnswerOfASession) {
  const auto items = some_problems(1);
  const ArmOptions arm = arm_of("rpc:interval=16,window=4,ratio=4", 50);
  const ArmPrompt prompt = arm_prompt(tiny_model(), items[0], arm);
  Session session(tiny_model(), arm.session);
  const Generation expected = session.generate(prompt.ids, arm.generate);
  const Json sample = samples_of(items, arm).at("p0");
  EXPECT_EQ(sample["prompt_ids"], Json(prompt.ids));
  EXPECT_EQ(sample["ids"], Json(expected.ids));
  EXPECT_EQ(sample["text"], expected.text);
  EXPECT_EQ(sample["kv"]["peak_bytes"], expected.kv.peak_bytes);
  EXPECT_EQ(sample["kv"]["mean_bytes"], expected.kv.mean_bytes);
  EXPECT_EQ(sample["kv"]["compressions"], expected.kv.compressions);
  EXPECT_EQ(sample["arm"], arm.name);
  EXPECT_EQ(sample["family"], "even");
  EXPECT_EQ(sample["gold"], "1");
}

TEST(RunArm, GradesWhatTheModelWrote) {
  // The model is made to write the answer of the second problem.
  auto items = some_problems(2);
  items[1].question = items[0].question;
  items[1].gold = "4711.0";
  ArmOptions arm = arm_of("full", -1);
  arm.generate.stop_on_loop = false;
  arm.generate.force_ids =
      tiny_model().tokenize("1 so</think>\nit is \\boxed{4,711}", /*add_special=*/false);
  const ById samples = samples_of(items, arm);
  EXPECT_EQ(samples.at("p0")["extracted"], "4711");
  EXPECT_EQ(samples.at("p0")["correct"], false);
  EXPECT_EQ(samples.at("p1")["correct"], true);
}

TEST(RunArm, TheInstructionStandsAfterTheQuestion) {
  const TaskItem item = some_problems(1)[0];
  ArmOptions arm = arm_of("full");
  arm.raw = true;
  EXPECT_EQ(arm_prompt(tiny_model(), item, arm).ids, tiny_model().tokenize(item.question));
  arm.instruction = "Be brief.";
  EXPECT_EQ(arm_prompt(tiny_model(), item, arm).ids,
            tiny_model().tokenize(item.question + "\nBe brief."));
}

// The tiny model behind a template that opens the block of thinking itself.
Model thinking_model() {
  const TemporaryFolder folder;
  make_random_model(known_model("tiny"), folder / "tiny", DType::kF32, {}, /*seed=*/7);
  ModelOptions options;
  options.chat_template =
      "{% for message in messages %}[{{ message.role }}]{{ message.content }}{% endfor %}"
      "[reply]{% if enable_thinking is defined and not enable_thinking %}"
      "<think>\n\n</think>\n\n{% else %}<think>\n{% endif %}";
  return Model::open(folder / "tiny", options);
}

TEST(RunArm, TheTemplateTakesQuestionAndInstruction) {
  const Model model = thinking_model();
  const TaskItem item = some_problems(1)[0];
  ArmOptions arm = arm_of("full");
  arm.instruction = "Be brief.";
  const auto text_of = [&](const ArmPrompt& prompt) { return model.detokenize(prompt.ids); };
  const std::string asked = "[user]" + item.question + "\nBe brief.[reply]<think>\n";
  const ArmPrompt open = arm_prompt(model, item, arm);
  EXPECT_EQ(text_of(open), asked);
  EXPECT_EQ(open.ids, model.tokenize(asked, /*add_special=*/false));
  EXPECT_TRUE(open.reasoning_open);
  arm.reasoning = Reasoning::kOff;
  const ArmPrompt closed = arm_prompt(model, item, arm);
  EXPECT_EQ(text_of(closed), asked + "\n</think>\n\n");
  EXPECT_FALSE(closed.reasoning_open);
  arm.reasoning = Reasoning::kAuto;
  arm.raw = true;
  EXPECT_EQ(text_of(arm_prompt(model, item, arm)), item.question + "\nBe brief.");
  EXPECT_FALSE(arm_prompt(model, item, arm).reasoning_open);
}

TEST(RunArm, ABlockThatTheTemplateOpenedIsReasoning) {
  const Model model = thinking_model();
  ArmOptions arm = arm_of("full", -1);
  arm.generate.stop_on_loop = false;
  arm.generate.force_ids =
      model.tokenize("2 and 2\n</think>\n\nIt is \\boxed{4}.", /*add_special=*/false);
  const auto split = [&] {
    Sample out;
    const auto items = some_problems(1);
    run_arm(model, items, arm, [&](const Sample& sample) { out = sample; });
    return out;
  };
  const Sample sample = split();
  EXPECT_EQ(sample.reasoning, "2 and 2");
  EXPECT_EQ(sample.answer, "It is \\boxed{4}.");
  EXPECT_EQ(sample.extracted, "4");
  arm.generate.force_ids = model.tokenize("It is 4.", /*add_special=*/false);
  EXPECT_EQ(split().reasoning, "It is 4.");
  EXPECT_EQ(split().answer, "");
  arm.reasoning = Reasoning::kOff;
  EXPECT_EQ(split().reasoning, "");
  EXPECT_EQ(split().answer, "It is 4.");
}

TEST(RunArm, WhatCannotBeAskedIsNamed) {
  auto items = some_problems(3);
  items[2].question += std::string(5000, 'y');
  ArmOptions arm = arm_of("full");
  arm.session.context = 64;
  std::size_t samples = 0;
  const auto run = [&] { run_arm(tiny_model(), items, arm, [&](const Sample&) { ++samples; }); };
  expect_error(ErrorKind::kUsage, "problem p2 is too long", run);
  arm.session.context = 0;
  arm.session.kv_memory = std::size_t{1} << 19;
  items[0].question += std::string(800, '?');
  std::swap(items[0], items[2]);  // the last of three: known before the first is begun
  items[0].question.resize(20);
  arm.batch = 1;
  expect_error(ErrorKind::kResource, "problem p0: ", run);
  EXPECT_EQ(samples, 0u);
  arm.batch = 0;
  expect_error(ErrorKind::kUsage, "batch", run);
}

}  // namespace
}  // namespace laconic::test
