// SPDX-License-Identifier: Apache-2.0
// How far a cache moves predictions: the arithmetic, the measurement, and which answers are read.
#include "eval/divergence.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>

#include "engine/model_fingerprint.h"
#include "eval/divergence_report.h"
#include "eval/eval_testing.h"
#include "eval/sample_file.h"
#include "test_paths.h"

namespace laconic::test {
namespace {

using Logits = std::vector<float>;

Prediction prediction_of(const Logits& logits) {
  Prediction out;
  predict(logits, out);
  return out;
}

double kl_of(const Logits& p, const Logits& q) {
  return kl_divergence(prediction_of(p), prediction_of(q));
}

TEST(Kl, ByHand) {
  // (1/2, 1/2) against (1/4, 3/4): ln 2 / 2 + ln (2/3) / 2.
  const auto ln3 = static_cast<float>(std::log(3.0));
  EXPECT_NEAR(kl_of({1, 1}, {0, ln3}), 0.14384103622589045, 1e-7);
  // And back: ln (1/2) / 4 + 3 ln (3/2) / 4.
  EXPECT_NEAR(kl_of({0, ln3}, {1, 1}), 0.13081203594113697, 1e-7);
  EXPECT_EQ(kl_of({7}, {-3}), 0);  // a vocabulary of one token
}

TEST(Kl, EqualPredictionsAreExactlyZero) {
  const Logits logits = {3.5f, -1, 0.25f, 3.5f};
  EXPECT_EQ(kl_of(logits, logits), 0);
  EXPECT_NEAR(kl_of(logits, {103.5f, 99, 100.25f, 103.5f}), 0, 1e-12);
}

TEST(Kl, TokensThatAreExcluded) {
  const float never = -std::numeric_limits<float>::infinity();
  EXPECT_NEAR(kl_of({0, never}, {0, 0}), std::log(2.0), 1e-15);
  EXPECT_EQ(kl_of({0, never}, {5, never}), 0);
  EXPECT_EQ(kl_of({0, 0}, {0, never}), std::numeric_limits<double>::infinity());
}

TEST(Kl, LargeLogitsDoNotOverflow) {
  EXPECT_NEAR(kl_of({1e30f, 0}, {1e30f, 0}), 0, 1e-15);
  EXPECT_NEAR(kl_of({900, 0}, {0, 0}), std::log(2.0), 1e-12);
}

TEST(Kl, TiesGoToTheLowerToken) {
  EXPECT_EQ(prediction_of({1, 4, 4, 0}).best, 1u);
  EXPECT_EQ(prediction_of({1, 4, 5, 0}).best, 2u);
}

RC_GTEST_PROP(Kl, AgreesWithTheFormula, ()) {
  const auto size = *rc::gen::inRange<std::size_t>(1, 200);
  const auto numbers = [&] {
    Logits out;
    for (const int value :
         *rc::gen::container<std::vector<int>>(size, rc::gen::inRange(-8000, 8000))) {
      out.push_back(static_cast<float>(value) / 1000);
    }
    return out;
  };
  const Logits p = numbers(), q = numbers();
  const auto softmax = [](const Logits& logits) {
    long double sum = 0;
    for (const float logit : logits) sum += std::exp(static_cast<long double>(logit));
    std::vector<long double> out;
    for (const float logit : logits) out.push_back(std::exp(static_cast<long double>(logit)) / sum);
    return out;
  };
  const auto a = softmax(p), b = softmax(q);
  long double expected = 0;
  for (std::size_t i = 0; i < size; ++i) expected += a[i] * std::log(a[i] / b[i]);
  const double found = kl_of(p, q);
  RC_ASSERT(found >= 0);
  RC_ASSERT(std::abs(found - static_cast<double>(expected)) < 1e-12);
}

// Answers about nothing: `count` of them, longer and longer.
std::vector<Sample> some_answers(std::size_t count, std::size_t shortest = 60) {
  std::vector<Sample> out(count);
  std::uint32_t seed = 1;
  const auto id = [&seed] {
    seed = seed * 1664525u + 1013904223u;
    return static_cast<std::int32_t>((seed >> 16) % 500);
  };
  for (std::size_t i = 0; i < count; ++i) {
    out[i].id = "a" + std::to_string(i);
    out[i].prompt_ids.resize(5 + 3 * i);
    out[i].ids.resize(shortest + 7 * i);
    for (std::int32_t& token : out[i].prompt_ids) token = id();
    for (std::int32_t& token : out[i].ids) token = id();
  }
  return out;
}

KvOptions full_f32() {
  KvOptions kv;
  kv.type = KvType::kF32;
  return kv;
}

const char* const kRpc = "rpc:interval=16,window=4,ratio=4";
const char* const kRandom = "random:interval=8,window=4,ratio=2";

std::vector<ArmOptions> two_arms() { return {arm_of(kRpc), arm_of(kRandom)}; }

std::vector<ArmDivergence> measure(const std::vector<Sample>& answers,
                                   const std::vector<ArmOptions>& arms, std::size_t batch) {
  return measure_divergence(tiny_model(), {answers, full_f32(), arms, batch});
}

// The same by keeping all logits of one text at a time.
std::vector<std::vector<float>> logits_of(const Sample& answer, const SessionOptions& options) {
  Session session(tiny_model(), options);
  GenerateOptions generate;
  generate.force_ids = answer.ids;
  generate.keep_logits = true;
  return session.generate(answer.prompt_ids, generate).logits;
}

TEST(Divergence, AgreesWithLogitsThatAreKept) {
  const auto answers = some_answers(2);
  const auto arms = two_arms();
  const auto measured = measure(answers, arms, 2);
  ASSERT_EQ(measured.size(), 2u);
  SessionOptions full = arms[0].session;
  full.kv = full_f32();
  for (std::size_t a = 0; a < answers.size(); ++a) {
    const auto expected = logits_of(answers[a], full);
    for (std::size_t arm = 0; arm < arms.size(); ++arm) {
      const auto changed = logits_of(answers[a], arms[arm].session);
      const auto& steps = measured[arm].answers[a];
      ASSERT_EQ(steps.size(), answers[a].ids.size());
      for (std::size_t step = 0; step < steps.size(); ++step) {
        const Prediction p = prediction_of(expected[step]), q = prediction_of(changed[step]);
        EXPECT_NEAR(steps[step].kl, kl_divergence(p, q), 1e-6) << step;
        EXPECT_EQ(steps[step].agrees, p.best == q.best) << step;
      }
    }
  }
}

// Logits of step s come from s generated rows; the step of a trigger still sees the rows before it.
TEST(Divergence, CountsCompressionsAndIsZeroBeforeTheFirst) {
  const auto answers = some_answers(3);
  const auto measured = measure(answers, two_arms(), 3);
  const auto rounds = [](std::size_t step, std::size_t interval, std::size_t window) {
    std::uint32_t count = 0;
    while (window + (count + 1) * interval < step) ++count;
    return count;
  };
  for (std::size_t a = 0; a < answers.size(); ++a) {
    for (std::size_t step = 0; step < answers[a].ids.size(); ++step) {
      const DivergenceStep &rpc = measured[0].answers[a][step],
                           &null = measured[1].answers[a][step];
      EXPECT_EQ(rpc.compressions, rounds(step, 16, 4)) << step;
      EXPECT_EQ(null.compressions, rounds(step, 8, 4)) << step;
      for (const DivergenceStep& at : {rpc, null}) {
        if (at.compressions > 0) continue;
        EXPECT_EQ(at.kl, 0) << step;
        EXPECT_TRUE(at.agrees) << step;
      }
    }
    EXPECT_GT(measured[0].answers[a].back().kl, 0);
    EXPECT_GT(measured[1].answers[a].back().kl, 0);
  }
}

TEST(Divergence, AnotherFullCacheIsTheSame) {
  const auto answers = some_answers(2, 20);
  const auto measured = measure(answers, {arm_of("full")}, 2);
  for (const auto& steps : measured[0].answers) {
    for (const DivergenceStep& step : steps) EXPECT_EQ(step.kl, 0);
  }
}

TEST(Divergence, BatchMemoryAndNeighboursDoNotMatter) {
  const auto answers = some_answers(5);
  auto arms = two_arms();
  const auto expected = measure(answers, arms, 8);
  const auto expect_same = [&](const std::vector<ArmDivergence>& found, std::size_t offset) {
    for (std::size_t arm = 0; arm < found.size(); ++arm) {
      for (std::size_t a = 0; a < answers.size(); ++a) {
        const auto &one = found[arm].answers[a], &other = expected[arm + offset].answers[a];
        ASSERT_EQ(one.size(), other.size());
        for (std::size_t step = 0; step < one.size(); ++step) {
          ASSERT_NEAR(one[step].kl, other[step].kl, 1e-6) << step;
          ASSERT_EQ(one[step].compressions, other[step].compressions) << step;
        }
      }
    }
  };
  expect_same(measure(answers, arms, 1), 0);
  expect_same(measure(answers, {arms[1]}, 3), 1);
  // Room for one text at a time: 3 caches, 2 pages of 16 KiB in each of 6 heads.
  for (ArmOptions& arm : arms) arm.session.kv_memory = std::size_t{3 * 2 * 6 * 16} << 10;
  expect_same(measure(answers, arms, 8), 0);
}

TEST(Divergence, ProgressAddsUp) {
  const auto answers = some_answers(3, 20);
  const auto arms = two_arms();
  DivergenceProgress last;
  std::size_t calls = 0;
  measure_divergence(tiny_model(), {answers, full_f32(), arms, 2},
                     [&](const DivergenceProgress& now) {
                       EXPECT_GE(now.steps, last.steps);
                       EXPECT_GE(now.finished, last.finished);
                       last = now;
                       ++calls;
                     });
  EXPECT_EQ(last.finished, 3u);
  EXPECT_EQ(last.answers, 3u);
  EXPECT_EQ(last.steps, 20u + 27u + 34u);
  EXPECT_EQ(last.steps_in_all, last.steps);
  EXPECT_GE(calls, 27u + 34u);
  struct Stop {};
  const auto stop = [](const DivergenceProgress&) { throw Stop(); };
  EXPECT_THROW(measure_divergence(tiny_model(), {answers, full_f32(), arms, 2}, stop), Stop);
}

TEST(Divergence, WhatDoesNotFitIsRefused) {
  auto arms = two_arms();
  arms[0].session.context = 64;
  expect_error(ErrorKind::kUsage, "answer a0 is too long: 65 tokens with its prompt",
               [&] { measure(some_answers(1), arms, 1); });
  arms = two_arms();
  for (ArmOptions& arm : arms) arm.session.kv_memory = std::size_t{3 * 2 * 6 * 16 - 3} << 10;
  expect_error(ErrorKind::kResource, "in each of 3 caches, --kv-memory leaves 191 KiB",
               [&] { measure(some_answers(1), arms, 1); });
}

// The last answer of a long measurement is looked at before the first is read.
TEST(Divergence, WhatNoSessionTakesIsRefusedBeforeAnythingIsMeasured) {
  const auto refused = [](const std::vector<Sample>& answers, const std::vector<ArmOptions>& arms,
                          const std::string& part) {
    expect_error(ErrorKind::kUsage, part, [&] {
      measure_divergence(tiny_model(), {answers, full_f32(), arms, 1},
                         [](const DivergenceProgress&) { FAIL() << "something was measured"; });
    });
  };
  auto answers = some_answers(5, 20);
  refused(
      answers, {arm_of(kRpc), arm_of("rpc:interval=16,window=4,budget=20")},
      "rpc:interval=16,window=4,budget=20, answer a4: --kv-budget 20 cannot hold the prompt's 17");
  answers[4].ids[7] = 1 << 20;
  refused(answers, two_arms(), "answer a4: token id 1048576 is not in the vocabulary");
  answers[4].ids[7] = 1;
  answers[3].prompt_ids[0] = -1;
  refused(answers, two_arms(), "answer a3: token id -1 is not in the vocabulary");
}

class SavedAnswersTest : public ::testing::Test {
 protected:
  std::filesystem::path path() const { return folder_ / "samples.jsonl"; }

  void add(const std::string& arm, const std::string& id, std::vector<std::int32_t> ids,
           const std::string& model = model_fingerprint(tiny_model())) {
    Sample sample;
    sample.arm = arm;
    sample.id = id;
    sample.prompt_ids = {1};
    sample.ids = std::move(ids);
    const std::string policy = arm.substr(0, arm.find(':'));
    Json settings = {{"model", model}, {"kv-policy", policy}};
    if (arm.find("heads=") != std::string::npos) settings["kv-heads"] = "table.tsv";
    SampleFile(path()).append(sample, settings);
  }
  SavedAnswers load() const { return load_saved_answers(path(), tiny_model()); }
  void expect_refusal(const std::string& part) const {
    expect_error(ErrorKind::kInput, part, [&] { load(); });
  }

  TemporaryFolder folder_;
};

std::vector<std::string> ids_of(const SavedAnswers& answers) {
  std::vector<std::string> out;
  for (const Sample& sample : answers.samples) out.push_back(sample.id);
  return out;
}

TEST_F(SavedAnswersTest, FullAmongOthersInTheOrderOfTheirNumbers) {
  add("full", "a-10", {3});
  add("rpc:window=8", "1", {4});
  add("full", "b-9", {5, 6});
  add("full", "2", {});
  add("full", "b-9", {7});  // decoded anew by a later run
  const SavedAnswers answers = load();
  EXPECT_EQ(answers.arm, "full");
  EXPECT_EQ(ids_of(answers), (std::vector<std::string>{"b-9", "a-10"}));
  EXPECT_EQ(answers.samples[0].ids, std::vector<std::int32_t>{7});
}

TEST_F(SavedAnswersTest, TheOnlyArm) {
  add("rpc:window=8", "1", {4});
  EXPECT_EQ(load().arm, "rpc:window=8");
  add("full:type=f32", "1", {4});
  EXPECT_EQ(load().arm, "full:type=f32");  // the only full cache
  add("full:heads=table.tsv", "1", {4});
  EXPECT_EQ(load().arm, "full:type=f32");  // constant heads are no full cache
  add("full:type=f16", "1", {4});
  expect_refusal("which answers are meant is not clear");
  add("full", "1", {4});
  EXPECT_EQ(load().arm, "full");
}

TEST_F(SavedAnswersTest, NoFullCacheAmongSeveral) {
  add("rpc:window=8", "1", {4});
  add("random:window=8", "1", {4});
  expect_refusal("hold several arms and none of them is the full cache");
}

TEST_F(SavedAnswersTest, WhatHoldsNothing) {
  expect_refusal("samples.jsonl");
  std::ofstream(path()).close();
  expect_refusal("hold no answer");
  add("full", "1", {});
  expect_refusal("every answer of full is empty");
}

TEST_F(SavedAnswersTest, AnotherModel) {
  add("full", "1", {4}, "0123456789abcdef");
  expect_refusal("answer 1 was written by another model (0123456789abcdef");
}

TEST_F(SavedAnswersTest, ATornLineIsNotReadAndAWrongOneRefused) {
  add("full", "1", {4});
  std::ofstream(path(), std::ios::app) << "{\"answer\": \"to";
  EXPECT_EQ(ids_of(load()), std::vector<std::string>{"1"});
  std::ofstream(path(), std::ios::app) << "\n";
  expect_refusal("line 2");
}

ArmDivergence made_arm(const std::string& name, std::size_t compressions) {
  ArmDivergence arm;
  arm.name = name;
  arm.answers.resize(2);
  for (std::size_t i = 0; i < 100; ++i) {
    const auto round = static_cast<std::uint32_t>(i * compressions / 100);
    arm.answers[i % 2].push_back({round == 0 ? 0 : 0.01 * static_cast<double>(i), round, i < 90});
  }
  return arm;
}

TEST(DivergenceReport, Numbers) {
  const DivergenceReport report = report_divergence(made_arm("rpc", 4), 1);
  EXPECT_EQ(report.answers, 2u);
  EXPECT_EQ(report.steps, 100u);
  EXPECT_NEAR(report.mean.value, 0.01 * (25 + 99) * 75 / 2 / 100, 1e-12);
  // Two texts: the interval ends at the means of the one and the other.
  EXPECT_NEAR(report.mean.interval.low, 0.01 * (26 + 98) * 37 / 2 / 50, 1e-12);
  EXPECT_NEAR(report.mean.interval.high, 0.01 * (25 + 99) * 38 / 2 / 50, 1e-12);
  EXPECT_NEAR(report.percentile99, 0.98, 1e-12);
  EXPECT_NEAR(report.maximum, 0.99, 1e-12);
  EXPECT_NEAR(report.agreement, 0.9, 1e-12);
  ASSERT_EQ(report.stages.size(), 4u);
  EXPECT_EQ(report.stages[0].steps, 25u);
  EXPECT_EQ(report.stages[0].mean, 0);
  EXPECT_NEAR(report.stages[3].mean, 0.87, 1e-12);
  EXPECT_NEAR(report.stages[3].agreement, 0.6, 1e-12);
}

TEST(DivergenceReport, Tables) {
  const std::vector<DivergenceReport> reports = {report_divergence(made_arm("rpc", 4), 1),
                                                 report_divergence(made_arm("h2o", 20), 1)};
  EXPECT_EQ(divergence_table({reports.data(), 1}),
            "| arm | KL mean |  95 % interval | 99 % | maximum | same token | answers | steps |\n"
            "|-----|--------:|---------------:|-----:|--------:|-----------:|--------:|------:|\n"
            "| rpc |   0.465 | 0.459 to 0.471 | 0.98 |    0.99 |    90.00 % |       2 |   100 |\n");
  EXPECT_EQ(
      divergence_stage_table(reports),
      "| KL after so many compressions |   0 |    1 |    2 |    3 |    4 |   5-8 |  9-16 | 17-32 "
      "|\n"
      "|-------------------------------|----:|-----:|-----:|-----:|-----:|------:|------:|------:|"
      "\n"
      "| rpc                           |   0 | 0.37 | 0.62 | 0.87 |    - |     - |     - |     - "
      "|\n"
      "| h2o                           |   0 | 0.07 | 0.12 | 0.17 | 0.22 | 0.345 | 0.645 |  0.92 "
      "|\n");
}

TEST(DivergenceReport, Json) {
  const Json json = divergence_json(report_divergence(made_arm("rpc", 4), 1));
  EXPECT_EQ(json["name"], "rpc");
  EXPECT_EQ(json["steps"], 100);
  EXPECT_EQ(json["by_compressions"].size(), 4u);
  EXPECT_EQ(json["by_compressions"][3]["compressions"], 3);
  for (const char* name : {"mean", "p99", "maximum", "agreement"}) {
    EXPECT_TRUE(json[name].is_number()) << name;
  }
}

}  // namespace
}  // namespace laconic::test
