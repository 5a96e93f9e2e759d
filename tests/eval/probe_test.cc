// SPDX-License-Identifier: Apache-2.0
// The passcode study: where codes stand, how often a schedule compresses in between, the problems
// that are drawn for it, and its tables.
#include "eval/probe.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "data/problem.h"
#include "eval/eval_testing.h"
#include "eval/probe_report.h"

namespace laconic::test {
namespace {

KvOptions kv_of(const std::string& spec) { return arm_of(spec).session.kv; }

TEST(ProbeCounts, ByRatio) {
  const KvOptions rpc = kv_of("rpc:interval=16,window=4,ratio=4");  // after 20, 36, 52, ...
  const auto between = [&](std::size_t known, std::size_t asked) {
    return compressions_between(rpc, 10, {known, asked});
  };
  EXPECT_EQ(between(0, 0), 0u);
  EXPECT_EQ(between(0, 20), 0u);  // the step that asks comes before that step's compression
  EXPECT_EQ(between(0, 21), 1u);
  EXPECT_EQ(between(0, 36), 1u);
  EXPECT_EQ(between(0, 37), 2u);
  EXPECT_EQ(between(20, 53), 3u);  // the code's last row may be compressed in its own step
  EXPECT_EQ(between(21, 53), 2u);
  EXPECT_EQ(between(53, 60), 0u);
}

TEST(ProbeCounts, ByBudget) {
  const KvOptions budget = kv_of("rpc:interval=16,window=4,budget=32");
  EXPECT_EQ(compressions_between(budget, 10, {0, 32}), 0u);  // 26 rows after 16 tokens fit
  EXPECT_EQ(compressions_between(budget, 10, {0, 33}), 1u);
  EXPECT_EQ(compressions_between(budget, 10, {0, 49}), 2u);
  EXPECT_EQ(compressions_between(budget, 10, {40, 49}), 1u);
  // A prompt that is compressed when it has been read: a code in it has gone through that.
  const KvOptions free = kv_of("rpc:interval=16,window=4,budget=32,protect-prompt=false");
  EXPECT_EQ(compressions_between(free, 50, {0, 0}), 0u);
  EXPECT_EQ(compressions_between(free, 50, {0, 1}), 1u);
  EXPECT_EQ(compressions_between(free, 50, {1, 16}), 0u);
  EXPECT_EQ(compressions_between(free, 50, {0, 17}), 2u);
}

// The text in pieces of the given length.
std::vector<std::string_view> cut(std::string_view text, std::size_t length) {
  std::vector<std::string_view> out;
  for (; !text.empty(); text.remove_prefix(out.back().size())) {
    out.push_back(text.substr(0, length));
  }
  return out;
}

std::optional<CodeSpan> found_in(const std::string& text, CodeOrigin origin) {
  return find_code(cut(text, 1), origin, "the red box");  // one piece per character
}

TEST(ProbeCode, IsFoundWhereItIsSaid) {
  const std::string worked = "The code of the red box is 1 + 299 = 300.\n",
                    counted = "The counter ends at 5. ", asked = "The code of the red box is ";
  const auto stated = found_in(counted + asked + "300.", CodeOrigin::kStated);
  ASSERT_TRUE(stated);
  EXPECT_EQ(stated->known, 0u);
  EXPECT_EQ(stated->asked, counted.size() + asked.size());
  const auto both = found_in(worked + counted + asked + "300.", CodeOrigin::kWorkedOut);
  ASSERT_TRUE(both);
  EXPECT_EQ(both->known, worked.size() - 1);  // up to the full stop
  EXPECT_EQ(both->asked, worked.size() + counted.size() + asked.size());
}

TEST(ProbeCode, ABoxWillDo) {
  const std::string worked = "The code of the red box is 1 + 299 = 300.\n", box = "So \\boxed{";
  EXPECT_EQ(found_in(box + "300}", CodeOrigin::kStated)->asked, box.size());
  EXPECT_EQ(found_in(worked + box + "300}", CodeOrigin::kWorkedOut)->asked,
            worked.size() + box.size());
}

TEST(ProbeCode, IsMissing) {
  for (const char* text :
       {"", "The counter ends at 5.", "The code of the blue box is 300.",
        "The code of the red box is", "The code of the red box is  ", "\\boxed{"}) {
    EXPECT_FALSE(found_in(text, CodeOrigin::kStated)) << text;
    EXPECT_FALSE(found_in(text, CodeOrigin::kWorkedOut)) << text;
  }
  // Said once: worked out, or asked for and never worked out. Nobody can tell.
  EXPECT_FALSE(found_in("The code of the red box is 300.", CodeOrigin::kWorkedOut));
  EXPECT_FALSE(found_in("\\boxed{300} The code of the red box is 300.", CodeOrigin::kWorkedOut));
}

RC_GTEST_PROP(ProbeCodeLaws, PiecesOfAnyLengthSayTheSame, ()) {
  const bool worked_out = *rc::gen::arbitrary<bool>();
  const auto origin = worked_out ? CodeOrigin::kWorkedOut : CodeOrigin::kStated;
  const PasscodeProblem made =
      make_passcode({1, ProblemSplit::kTest, *rc::gen::inRange<std::size_t>(1, 30), worked_out},
                    *rc::gen::inRange<std::uint64_t>(0, 1000));
  const std::string text = solution_text(made.problem);
  const auto letters = find_code(cut(text, 1), origin, made.code);
  RC_ASSERT(letters.has_value());
  const std::string value = std::to_string(made.problem.answer);
  RC_ASSERT(text.substr(letters->asked, value.size()) == value);
  if (worked_out) {
    RC_ASSERT(text.substr(letters->known - 5, 5) == " " + value + ".");
  }
  const auto length = *rc::gen::inRange<std::size_t>(2, 9);
  const auto pieces = find_code(cut(text, length), origin, made.code);
  RC_ASSERT(pieces.has_value());
  RC_ASSERT(pieces->asked == letters->asked / length);
  RC_ASSERT(pieces->known == (worked_out ? (letters->known - 1) / length + 1 : 0));
}

// --- the problems ---

ProbeOptions asked_for(std::size_t counts, std::size_t problems) {
  ProbeOptions options;
  options.counts = counts;
  options.problems = problems;
  return options;
}

std::vector<ArmOptions> arms_of(const std::vector<std::string>& specs, std::int64_t tokens = -1) {
  std::vector<ArmOptions> arms;
  for (const std::string& spec : specs) arms.push_back(arm_of(spec, tokens));
  return arms;
}

const std::vector<std::string> kLongBursts = {"full", "rpc:interval=256,window=8,ratio=4",
                                              "random:interval=512,window=8,ratio=4"};

// Answers as the written solutions say them.
EvaluatedArm solved(const ProbePlan& plan, const std::string& name, bool correct) {
  EvaluatedArm arm;
  arm.name = name;
  for (std::size_t i = 0; i < plan.task.size(); ++i) {
    Sample sample;
    sample.id = plan.task[i].id;
    sample.prompt_ids.resize(plan.items[i].prompt);
    sample.ids = tiny_model().tokenize(plan.items[i].origin == CodeOrigin::kStated
                                           ? "The code of " + plan.items[i].code + " is 5."
                                           : "",
                                       false);
    sample.correct = correct;
    arm.samples.push_back(std::move(sample));
  }
  return arm;
}

TEST(ProbePlans, HoldAsManyProblemsOfEachCount) {
  const auto arms = arms_of(kLongBursts);
  const ProbePlan plan = plan_probe(tiny_model(), arms, asked_for(3, 2));
  ASSERT_EQ(plan.task.size(), 12u);
  ASSERT_EQ(plan.items.size(), 12u);
  EXPECT_TRUE(plan.gaps.empty());
  std::map<std::pair<CodeOrigin, std::size_t>, int> drawn;
  std::set<std::string> ids, questions;
  for (std::size_t i = 0; i < plan.items.size(); ++i) {
    const ProbeItem& item = plan.items[i];
    ++drawn[{item.origin, item.count}];
    ids.insert(plan.task[i].id);
    questions.insert(plan.task[i].question);
    EXPECT_EQ(plan.task[i].family, "passcode");
    EXPECT_NE(plan.task[i].question.find("what is the code of " + item.code + "?"),
              std::string::npos);
    EXPECT_EQ(item.origin == CodeOrigin::kStated, item.planned.known == 0);
    EXPECT_EQ(item.prompt, arm_prompt(tiny_model(), plan.task[i], arms[0]).ids.size());
    EXPECT_EQ(compressions_between(arms[1].session.kv, item.prompt, item.planned), item.count);
  }
  EXPECT_EQ(drawn.size(), 6u);
  for (const auto& [where, times] : drawn) EXPECT_EQ(times, 2) << where.second;
  EXPECT_EQ(ids.size(), 12u);
  EXPECT_EQ(questions.size(), 12u);
}

TEST(ProbePlans, GrowWithoutChangingWhatTheyHeld) {
  const auto arms = arms_of(kLongBursts);
  const auto ids_of = [&](const ProbeOptions& options) {
    std::set<std::string> ids;
    for (const TaskItem& item : plan_probe(tiny_model(), arms, options).task) ids.insert(item.id);
    return ids;
  };
  const auto few = ids_of(asked_for(1, 1)), many = ids_of(asked_for(2, 3));
  EXPECT_TRUE(std::includes(many.begin(), many.end(), few.begin(), few.end()));
  ProbeOptions other = asked_for(1, 1);
  other.seed = 2;
  EXPECT_NE(ids_of(other), few);
}

TEST(ProbePlans, SayWhatIsNotReached) {
  // Question and answer together fill tiny's context of 4096 after eight bursts of 256 or so.
  const ProbePlan far = plan_probe(tiny_model(), arms_of(kLongBursts), asked_for(18, 1));
  ASSERT_FALSE(far.gaps.empty());
  EXPECT_EQ(far.gaps.back().count, 18u);
  EXPECT_EQ(far.gaps.back().reason, ProbeGap::Reason::kTooLong);
  EXPECT_EQ(far.task.size() + far.gaps.size(), 36u);
  // Even the shortest answer takes some 200 characters.
  const ProbePlan near =
      plan_probe(tiny_model(), arms_of({"rpc:interval=32,window=4,ratio=4"}), asked_for(6, 1));
  ASSERT_FALSE(near.gaps.empty());
  EXPECT_EQ(near.gaps.front().count, 1u);
  EXPECT_EQ(near.gaps.front().reason, ProbeGap::Reason::kTooShort);
  // A limit on the length of problems.
  ProbeOptions short_ones = asked_for(8, 1);
  short_ones.most_steps = 10;
  const ProbePlan cut_off = plan_probe(tiny_model(), arms_of(kLongBursts), short_ones);
  EXPECT_EQ(cut_off.gaps.back().reason, ProbeGap::Reason::kTooLong);
  for (const TaskItem& item : cut_off.task) {
    EXPECT_EQ(item.question.find(" 11. "), std::string::npos) << item.question;
  }
}

TEST(ProbePlans, NeedAnArmThatEvictsAndRoom) {
  expect_error(ErrorKind::kUsage, "has to evict",
               [] { plan_probe(tiny_model(), arms_of({"full"}), asked_for(1, 1)); });
  expect_error(ErrorKind::kUsage, "fits the context and -n",
               [] { plan_probe(tiny_model(), arms_of(kLongBursts, 20), asked_for(1, 1)); });
  // Every problem of at most ten steps is through before 1024 tokens.
  expect_error(ErrorKind::kUsage, "no problem has 1 to 2 compressions", [] {
    ProbeOptions options = asked_for(2, 1);
    options.most_steps = 10;
    plan_probe(tiny_model(), arms_of({"rpc:interval=1024,window=8"}), options);
  });
}

TEST(ProbeSchedule, ArmsWithoutOneTakeTheFirst) {
  const auto arms = arms_of({"full", "rpc:interval=64,window=8", "random:interval=32,window=8"});
  EXPECT_EQ(probe_schedule(arms, 0), &arms[1].session.kv);
  EXPECT_EQ(probe_schedule(arms, 1), &arms[1].session.kv);
  EXPECT_EQ(probe_schedule(arms, 2), &arms[2].session.kv);
  EXPECT_EQ(probe_schedule(arms_of({"full"}), 0), nullptr);
  KvOptions once = KvOptions::of(KvPolicy::kSnapKv);
  EXPECT_TRUE(compresses_again(once));
  once.phase = KvPhase::kPrompt;
  EXPECT_FALSE(compresses_again(once));
}

// --- the report ---

// Codes that were stated are named at once, before anything was compressed; the other answers never
// come to the question.
TEST(ProbeReport, RowsHoldTheProblemsThatWereDrawnForThem) {
  const auto arms = arms_of(kLongBursts);
  const ProbePlan plan = plan_probe(tiny_model(), arms, asked_for(2, 2));
  const std::vector<EvaluatedArm> evaluated = {
      solved(plan, "full", true), solved(plan, "rpc", true), solved(plan, "random", false)};
  const auto reports = report_probe(tiny_model(), plan, arms, evaluated);
  ASSERT_EQ(reports.size(), 3u);
  for (const ProbeArm& arm : reports) {
    EXPECT_EQ(arm.unasked(), 4u);
    for (const CodeOrigin origin : kCodeOrigins) {
      const auto& rows = arm.rows.at(origin);
      ASSERT_EQ(rows.size(), 2u);
      for (const std::size_t count : {1u, 2u}) {
        EXPECT_EQ(rows.at(count).share.problems, 2u);
        EXPECT_EQ(rows.at(count).share.correct, arm.name == "random" ? 0u : 2u);
      }
    }
    EXPECT_EQ(arm.rows.at(CodeOrigin::kWorkedOut).at(1).asked, 0u);
  }
  for (std::size_t a = 0; a < 2; ++a) {
    const ProbeRow& row = reports[a].rows.at(CodeOrigin::kStated).at(2);
    EXPECT_EQ(row.asked, 2u);
    EXPECT_EQ(row.found, 0u);
    EXPECT_EQ(row.moved, 2u);
  }
  // It compresses half as often: nothing lay between code and question in the written solutions
  // that were drawn for one compression, so that these answers have not moved.
  const auto& seldom = reports[2].rows.at(CodeOrigin::kStated);
  EXPECT_EQ(seldom.at(1).moved, 0u);
  EXPECT_EQ(seldom.at(2).moved, 2u);
}

TEST(ProbeReport, AnswersThatFollowTheSolutionHaveNotMoved) {
  const auto arms = arms_of(kLongBursts);
  const ProbePlan plan = plan_probe(tiny_model(), arms, asked_for(2, 1));
  std::vector<EvaluatedArm> evaluated = {solved(plan, "full", true), solved(plan, "rpc", true),
                                         solved(plan, "random", true)};
  for (EvaluatedArm& arm : evaluated) {
    for (std::size_t i = 0; i < plan.items.size(); ++i) {
      const ProbeItem& item = plan.items[i];
      const std::string asks = "The code of " + item.code + " is ";
      std::string text = item.origin == CodeOrigin::kStated ? "" : asks + "5.\n";
      // One token per character.
      ASSERT_GT(item.planned.asked, text.size() + asks.size());
      text += std::string(item.planned.asked - text.size() - asks.size(), '.') + asks + "5.";
      arm.samples[i].ids = tiny_model().tokenize(text, false);
    }
  }
  for (const ProbeArm& arm : report_probe(tiny_model(), plan, arms, evaluated)) {
    EXPECT_EQ(arm.unasked(), 0u);
    for (const CodeOrigin origin : kCodeOrigins) {
      for (const auto& [count, row] : arm.rows.at(origin)) {
        EXPECT_EQ(row.moved, 0u) << arm.name << " " << count;
        if (arm.name == "random") continue;
        EXPECT_EQ(row.mean_found(), static_cast<double>(count));
      }
    }
  }
}

TEST(ProbeReport, ARandomModelNeverComesToTheQuestion) {
  auto arms = arms_of({"full", "rpc:interval=256,window=8,ratio=4"}, 700);
  for (ArmOptions& arm : arms) arm.generate.stop_on_loop = true;
  const ProbePlan plan = plan_probe(tiny_model(), arms, asked_for(1, 1));
  ASSERT_EQ(plan.task.size(), 2u);
  const auto reports =
      report_probe(tiny_model(), plan, arms, evaluate(tiny_model(), {plan.task, 0, arms}, nullptr));
  for (const ProbeArm& arm : reports) {
    EXPECT_EQ(arm.unasked(), 2u);
    for (const CodeOrigin origin : kCodeOrigins)
      EXPECT_EQ(arm.rows.at(origin).at(1).share.problems, 1u);
  }
}

std::vector<ProbeArm> two_arms() {
  std::vector<ProbeArm> arms(2);
  arms[0].name = "full";
  arms[0].rows[CodeOrigin::kStated] = {{1, {{10, 10}, 10, 10, 0}}, {2, {{9, 10}, 10, 20, 0}}};
  arms[1].name = "rpc";
  arms[1].rows[CodeOrigin::kStated] = {{1, {{5, 10}, 8, 11, 2}}, {2, {{0, 10}, 0, 0, 0}}};
  return arms;
}

TEST(ProbeReport, TablesLineUp) {
  EXPECT_EQ(
      probe_table(two_arms(), CodeOrigin::kStated),
      "| compressions, stated |                          full |                         rpc |\n"
      "|----------------------|------------------------------:|----------------------------:|\n"
      "| 1                    | 100.0 % of 10 (72.2 to 100.0) | 50.0 % of 10 (23.7 to 76.3) |\n"
      "| 2                    |   90.0 % of 10 (59.6 to 98.2) |   0.0 % of 10 (0.0 to 27.8) |\n");
  EXPECT_EQ(probe_found_table(two_arms(), CodeOrigin::kStated),
            "| in the answers, stated |               full |               rpc |\n"
            "|------------------------|-------------------:|------------------:|\n"
            "| 1                      | 1.0, 0 of 10 moved | 1.4, 2 of 8 moved |\n"
            "| 2                      | 2.0, 0 of 10 moved |                   |\n");
  EXPECT_EQ(probe_table(two_arms(), CodeOrigin::kWorkedOut),
            "| compressions, worked out | full | rpc |\n"
            "|--------------------------|-----:|----:|\n");
}

TEST(ProbeReport, GapsAreToldInRuns) {
  using Reason = ProbeGap::Reason;
  EXPECT_EQ(probe_gaps_text({}), "");
  const std::vector<ProbeGap> gaps = {
      {CodeOrigin::kStated, 1, 0, Reason::kTooShort},
      {CodeOrigin::kStated, 2, 0, Reason::kTooShort},
      {CodeOrigin::kStated, 9, 3, Reason::kTooLong},
      {CodeOrigin::kStated, 10, 0, Reason::kTooLong},
      {CodeOrigin::kWorkedOut, 4, 7, Reason::kBetween},
  };
  EXPECT_EQ(
      probe_gaps_text(gaps),
      "Not reached with stated codes: 1 to 2 compressions; the shortest problem has more.\n"
      "Not reached with stated codes: 9 (3 problems), 10 compressions; longer problems do not "
      "fit the context or the limits given.\n"
      "Not reached with worked out codes: 4 (7 problems) compressions; one step of a problem "
      "brings more than one.\n");
  const Json json = probe_gaps_json(gaps);
  ASSERT_EQ(json.size(), 5u);
  EXPECT_EQ(json[4]["origin"], "worked_out");
  EXPECT_EQ(json[4]["compressions"], 4);
  EXPECT_EQ(json[4]["drawn"], 7);
}

TEST(ProbeReport, Json) {
  const Json json = probe_json(two_arms()[1]);
  EXPECT_EQ(json["name"], "rpc");
  EXPECT_EQ(json["unasked"], 12);
  ASSERT_EQ(json["stated"].size(), 2u);
  EXPECT_EQ(json["stated"][0]["compressions"], 1);
  EXPECT_EQ(json["stated"][0]["accuracy"], 0.5);
  EXPECT_EQ(json["stated"][0]["problems"], 10);
  EXPECT_NEAR(json["stated"][0]["wilson"][0].get<double>(), 0.2366, 1e-4);
  EXPECT_EQ(json["stated"][0]["asked"], 8);
  EXPECT_EQ(json["stated"][0]["mean_found"], 1.375);
  EXPECT_EQ(json["stated"][0]["moved"], 2);
  EXPECT_TRUE(json["stated"][1]["mean_found"].is_null());
  EXPECT_TRUE(json["worked_out"].is_array());
  EXPECT_TRUE(json["worked_out"].empty());
}

}  // namespace
}  // namespace laconic::test
