// SPDX-License-Identifier: Apache-2.0
// Every problem against a reader who knows the question alone, every line of every reasoning, the
// wall between the splits, and the mixture itself, which is frozen.
#include "data/problem.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <unordered_set>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "data/problem_solver.h"
#include "data/problem_trace.h"

namespace laconic {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr ProblemSplit kSplits[] = {ProblemSplit::kTrain, ProblemSplit::kTest};
constexpr double kDifficulties[] = {0.05, 0.1, 0.25, 0.5, 0.75, 1.0};

// FNV-1a, 64 bits.
std::uint64_t fnv(std::string_view text, std::uint64_t hash = 0xCBF29CE484222325) {
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3;
  return hash;
}

std::string split_name(ProblemSplit split) {
  return split == ProblemSplit::kTrain ? "train" : "test";
}

// One family in one split.
class Problems : public ::testing::TestWithParam<std::tuple<ProblemFamily, ProblemSplit>> {
 protected:
  ProblemFamily family() const { return std::get<0>(GetParam()); }
  ProblemSplit split() const { return std::get<1>(GetParam()); }
  ProblemOptions options(double difficulty, std::uint64_t seed = 1) const {
    return {seed, split(), {family()}, difficulty};
  }
  // Calls `check` on `count` problems of each difficulty until one has failed.
  template <typename Check>
  void each(std::uint64_t count, const Check& check) const {
    for (const double difficulty : kDifficulties) {
      for (std::uint64_t i = 0; i < count; ++i) {
        const Problem problem = make_problem(options(difficulty), i);
        check(problem);
        if (HasFailure()) {
          ADD_FAILURE() << problem.id << " at difficulty " << difficulty << "\n"
                        << problem.question << "\n"
                        << problem.reasoning;
          return;
        }
      }
    }
  }
};

std::string suite_name(const ::testing::TestParamInfo<Problems::ParamType>& info) {
  return std::string(problem_family_name(std::get<0>(info.param))) + "_" +
         split_name(std::get<1>(info.param));
}
INSTANTIATE_TEST_SUITE_P(All, Problems,
                         ::testing::Combine(::testing::ValuesIn(kProblemFamilies),
                                            ::testing::ValuesIn(kSplits)),
                         suite_name);

TEST_P(Problems, ReaderOfTheQuestionAloneFindsTheAnswer) {
  each(400, [](const Problem& problem) {
    try {
      EXPECT_EQ(test::solve(problem.question), problem.answer);
    } catch (const std::exception& doubt) {
      ADD_FAILURE() << doubt.what();
    }
  });
}

TEST_P(Problems, EveryLineOfTheReasoningFollows) {
  each(400, [](const Problem& problem) { EXPECT_EQ(test::reasoning_fault(problem), ""); });
}

TEST_P(Problems, TextIsPlain) {
  each(100, [](const Problem& problem) {
    for (const std::string& text : {problem.question, problem.reasoning}) {
      EXPECT_TRUE(std::all_of(text.begin(), text.end(),
                              [](char c) { return c == '\n' || (c >= ' ' && c <= '~'); }));
      EXPECT_THAT(text, AllOf(Not(HasSubstr("  ")), Not(HasSubstr(" \n")), Not(HasSubstr("\n\n"))));
      EXPECT_THAT(text.front(), AllOf(testing::Ge('A'), testing::Le('Z')));
    }
    EXPECT_THAT(problem.question, AllOf(EndsWith("?"), Not(HasSubstr("\n"))));
    EXPECT_THAT(problem.reasoning, AllOf(StartsWith("We need "), EndsWith(".")));
  });
}

TEST_P(Problems, LineHasTheFormOfGsm8k) {
  each(100, [](const Problem& problem) {
    const std::string line = problem_line(problem);
    EXPECT_EQ(line.find('\n'), std::string::npos);
    const Json read = parse_json(line, "line");
    EXPECT_EQ(read.size(), 4U);
    EXPECT_EQ(read["id"], problem.id);
    EXPECT_EQ(read["family"], problem_family_name(problem.family));
    EXPECT_EQ(read["question"], problem.question);
    const auto answer = read["answer"].get<std::string>();
    const auto mark = answer.rfind("\n#### ");
    ASSERT_NE(mark, std::string::npos);
    EXPECT_EQ(answer.find("####"), mark + 1);
    EXPECT_EQ(answer.substr(0, mark), problem.reasoning);
    EXPECT_EQ(answer.substr(mark + 6), std::to_string(test::solve(problem.question)));
  });
}

TEST_P(Problems, QuestionFallsOnItsSideOfTheWall) {
  // The side depends on the question alone, so that no seed, index or difficulty can cross.
  each(100, [this](const Problem& problem) {
    std::uint64_t hash = fnv(problem.question);
    hash ^= hash >> 29;
    EXPECT_EQ(hash % 8 == 0, split() == ProblemSplit::kTest);
  });
}

TEST_P(Problems, AreManyAndDifferent) {
  for (const double difficulty : {0.05, 1.0}) {
    std::set<std::string> questions;
    for (std::uint64_t i = 0; i < 1000; ++i) {
      questions.insert(make_problem(options(difficulty), i).question);
    }
    for (std::uint64_t i = 0; i < 500; ++i) {
      questions.insert(make_problem(options(difficulty, 2), i).question);
    }
    EXPECT_EQ(questions.size(), 1500U) << difficulty;
  }
}

TEST_P(Problems, AnswersAreSpread) {
  // Who guesses the commonest answer gets nowhere.
  std::map<std::int64_t, int> seen;
  for (std::uint64_t i = 0; i < 1000; ++i) ++seen[make_problem(options(1.0), i).answer];
  for (const auto& [answer, times] : seen) {
    EXPECT_GE(answer, 0);
    EXPECT_LT(times, 30) << answer;
  }
}

// No question of 20000 train problems stands among 20000 test problems.
void expect_no_shared_question(double difficulty) {
  std::unordered_set<std::string> train;
  for (std::uint64_t i = 0; i < 20000; ++i) {
    train.insert(make_problem({1, ProblemSplit::kTrain, {}, difficulty}, i).question);
  }
  for (std::uint64_t i = 0; i < 20000; ++i) {
    const Problem problem = make_problem({1, ProblemSplit::kTest, {}, difficulty}, i);
    ASSERT_EQ(train.count(problem.question), 0U) << problem.id;
  }
}

// The smallest problems are those that chance could bring twice.
TEST(ProblemSplits, ShareNoQuestion) { expect_no_shared_question(0.01); }
TEST(SlowProblemSplits, ShareNoQuestionAtFullSize) { expect_no_shared_question(1.0); }

// --- sizes of the mixture that pocket is examined on ---

struct Range {
  std::size_t low = std::numeric_limits<std::size_t>::max(), high = 0;
  void see(std::size_t size) {
    low = std::min(low, size);
    high = std::max(high, size);
  }
  bool operator==(const Range& other) const { return low == other.low && high == other.high; }
};
void PrintTo(const Range& range, std::ostream* out) { *out << range.low << ".." << range.high; }

constexpr Range kNeeded{4, 12}, kDistractors{0, 4};
constexpr Range kAccounts{3, 6}, kEntries{6, 36};
constexpr Range kCodes{1, 2}, kSteps{8, 48};
constexpr std::size_t kLongestPlan = 18;
constexpr std::uint64_t kSeenForRanges = 3000;

Problem full_size(ProblemFamily family, std::uint64_t index) {
  return make_problem({5, ProblemSplit::kTest, {family}, 1.0}, index);
}

TEST(ProblemSizes, Quantities) {
  Range needed, distractors;
  for (std::uint64_t i = 0; i < kSeenForRanges; ++i) {
    const Problem problem = full_size(ProblemFamily::kQuantities, i);
    const test::QuantitiesStory story = test::read_quantities(problem.question);
    needed.see(story.needed.size());
    distractors.see(story.told.size() - story.needed.size());
    ASSERT_EQ(story.told.at(story.asked).size(), 3U) << "the answer is told: " << problem.id;
    ASSERT_EQ(problem.reasoning.find(fmt::format("\n{}. ", kLongestPlan + 1)), std::string::npos);
    for (const auto& [name, value] : story.values) ASSERT_LE(value, 400) << problem.id;
  }
  EXPECT_EQ(needed, kNeeded);
  EXPECT_EQ(distractors, kDistractors);
}

TEST(ProblemSizes, Ledger) {
  Range accounts, entries;
  std::map<test::LedgerStory::Asked, int> asked;
  for (std::uint64_t i = 0; i < kSeenForRanges; ++i) {
    const Problem problem = full_size(ProblemFamily::kLedger, i);
    const test::LedgerStory story = test::read_ledger(problem.question);
    accounts.see(story.start.size());
    entries.see(story.entries.size());
    ++asked[story.asked];
    ASSERT_LE(story.entry, (story.entries.size() + 1) / 2) << "not early: " << problem.id;
  }
  EXPECT_EQ(accounts, kAccounts);
  EXPECT_EQ(entries, kEntries);
  EXPECT_EQ(asked.size(), 4U);
  for (const auto& [kind, times] : asked) EXPECT_NEAR(times, kSeenForRanges / 4.0, 150.0);
}

TEST(ProblemSizes, Passcode) {
  Range codes, steps;
  int told = 0, with_counter = 0;
  for (std::uint64_t i = 0; i < kSeenForRanges; ++i) {
    const Problem problem = full_size(ProblemFamily::kPasscode, i);
    const test::PasscodeStory story = test::read_passcode(problem.question);
    codes.see(story.codes.size());
    steps.see(story.steps.size());
    told += story.codes.at(story.asked).sum.empty() ? 1 : 0;
    with_counter += story.with_counter ? 1 : 0;
  }
  EXPECT_EQ(codes, kCodes);
  EXPECT_EQ(steps, kSteps);
  EXPECT_NEAR(told, kSeenForRanges * 0.4, 150.0);
  EXPECT_NEAR(with_counter, kSeenForRanges * 0.5, 150.0);
}

// --- the read-once property ---

TEST(ProblemPasscode, CodeIsWrittenOnceAndAtTheEnd) {
  for (const double difficulty : kDifficulties) {
    for (std::uint64_t i = 0; i < 1000; ++i) {
      const Problem problem =
          make_problem({3, kSplits[i % 2], {ProblemFamily::kPasscode}, difficulty}, i);
      const test::PasscodeStory story = test::read_passcode(problem.question);
      const test::PasscodeStory::Code& code = story.codes.at(story.asked);
      const std::string value = std::to_string(code.value);
      int naming = 0;
      std::vector<std::string> lines;
      for (std::size_t at = 0; at <= problem.reasoning.size();) {
        const std::size_t end =
            std::min(problem.reasoning.find('\n', at), problem.reasoning.size());
        lines.push_back(problem.reasoning.substr(at, end - at));
        at = end + 1;
      }
      for (std::size_t k = 1; k + 1 < lines.size(); ++k) {
        if (lines[k].find(story.asked) != std::string::npos) {
          ++naming;
          EXPECT_THAT(lines[k], EndsWith(" = " + value + "."));
          continue;
        }
        // Only what the other code is added up from may be the number by chance.
        const bool other_code = lines[k].substr(0, 12) == "The code of ";
        const std::size_t from = other_code ? lines[k].rfind('=') : 0;
        const test::Words words = test::words_of(std::string_view(lines[k]).substr(from));
        EXPECT_EQ(std::count(words.begin(), words.end(), value), 0) << lines[k];
      }
      EXPECT_EQ(naming, code.sum.empty() ? 0 : 1);
      EXPECT_THAT(lines.back(), HasSubstr("the " + story.asked + " is " + value + "."));
      ASSERT_FALSE(::testing::Test::HasFailure()) << problem.id << "\n" << problem.reasoning;
    }
  }
}

// --- the options ---

std::string refusal(double difficulty) {
  try {
    make_problem({1, ProblemSplit::kTrain, {}, difficulty}, 0);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kUsage);
    return error.what();
  }
  return "accepted";
}

template <typename Lookup>
std::string refused_name(const Lookup& lookup, std::string_view name) {
  try {
    lookup(name);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kUsage);
    return error.what();
  }
  return "accepted";
}

TEST(ProblemErrors, DifficultyOutsideItsRange) {
  const double infinity = std::numeric_limits<double>::infinity();
  for (const double difficulty :
       {0.0, -0.0, -1.0, 1.5, infinity, -infinity, std::nextafter(1.0, 2.0)}) {
    EXPECT_THAT(refusal(difficulty),
                AllOf(StartsWith("the difficulty "), HasSubstr("at most 1"), Not(HasSubstr("\n"))))
        << difficulty;
  }
  EXPECT_THAT(refusal(1.5), HasSubstr(" 1.5 "));
  EXPECT_THAT(refusal(std::numeric_limits<double>::quiet_NaN()), HasSubstr(" nan "));
  EXPECT_EQ(refusal(std::numeric_limits<double>::denorm_min()), "accepted");
}

TEST(ProblemErrors, UnknownNames) {
  EXPECT_EQ(refused_name(problem_family, "algebra"),
            "the problem family 'algebra' is not known; there are quantities, ledger and passcode");
  EXPECT_EQ(refused_name(problem_split, "valid"),
            "the split 'valid' is not known; there are train and test");
  for (const char* name : {"", "Ledger", "ledger ", "ledgers"}) {
    EXPECT_THAT(refused_name(problem_family, name), StartsWith("the problem family '")) << name;
  }
  for (const char* name : {"", "Train", "test "}) {
    EXPECT_THAT(refused_name(problem_split, name), StartsWith("the split '")) << name;
  }
}

TEST(ProblemOptions, NamesComeBack) {
  for (const ProblemFamily family : kProblemFamilies) {
    EXPECT_EQ(problem_family(problem_family_name(family)), family);
  }
  for (const ProblemSplit split : kSplits) EXPECT_EQ(problem_split(split_name(split)), split);
}

TEST(ProblemOptions, FamiliesTakeTurns) {
  const ProblemOptions all{9, ProblemSplit::kTest, {}, 0.2};
  for (std::uint64_t i = 0; i < 30; ++i) {
    const Problem problem = make_problem(all, i);
    EXPECT_EQ(problem.family, kProblemFamilies[i % 3]);
    EXPECT_EQ(problem.id, fmt::format("{}-test-9-{}", problem_family_name(problem.family), i));
    // The same name means the same problem, whichever families were asked for.
    EXPECT_EQ(make_problem({9, ProblemSplit::kTest, {problem.family}, 0.2}, i).question,
              problem.question);
  }
  const ProblemOptions two{
      9, ProblemSplit::kTrain, {ProblemFamily::kPasscode, ProblemFamily::kLedger}, 0.2};
  EXPECT_EQ(make_problem(two, 4).family, ProblemFamily::kPasscode);
  EXPECT_EQ(make_problem(two, 5).family, ProblemFamily::kLedger);
}

TEST(ProblemOptions, SolutionClosesTheThinkBlockAndBoxesTheAnswer) {
  const Problem problem = make_problem({1, ProblemSplit::kTest, {}, 1.0}, 0);
  EXPECT_EQ(solution_text(problem), fmt::format("{}\n</think>\n\nThe answer is \\boxed{{{}}}.",
                                                problem.reasoning, test::solve(problem.question)));
}

TEST(ProblemOptions, DifficultyMakesProblemsLonger) {
  for (const ProblemFamily family : kProblemFamilies) {
    std::size_t shorter = 0;
    for (const double difficulty : kDifficulties) {
      std::size_t length = 0;
      for (std::uint64_t i = 0; i < 300; ++i) {
        length += make_problem({1, ProblemSplit::kTrain, {family}, difficulty}, i).reasoning.size();
      }
      EXPECT_GT(length, shorter) << problem_family_name(family) << " at " << difficulty;
      shorter = length;
    }
  }
}

// --- laws ---

RC_GTEST_PROP(ProblemLaws, AnySeedIndexAndDifficultyIsSound, ()) {
  ProblemOptions options;
  options.seed = *rc::gen::arbitrary<std::uint64_t>();
  options.split = *rc::gen::elementOf(std::vector<ProblemSplit>(kSplits, kSplits + 2));
  options.families = *rc::gen::container<std::vector<ProblemFamily>>(rc::gen::element(
      ProblemFamily::kQuantities, ProblemFamily::kLedger, ProblemFamily::kPasscode));
  options.difficulty = *rc::gen::inRange(1, 1001) / 1000.0;
  const auto index = *rc::gen::arbitrary<std::uint64_t>();
  const Problem problem = make_problem(options, index);
  RC_ASSERT(test::solve(problem.question) == problem.answer);
  RC_ASSERT(test::reasoning_fault(problem).empty());
  const Problem again = make_problem(options, index);
  RC_ASSERT(problem_line(again) == problem_line(problem));
}

// The checkers themselves: no number of a reasoning can change without being found out.
RC_GTEST_PROP(ProblemLaws, AnyOtherDigitIsFoundOut, ()) {
  Problem problem = make_problem({1, ProblemSplit::kTrain, {}, *rc::gen::inRange(1, 101) / 100.0},
                                 *rc::gen::inRange<std::uint64_t>(0, 100000));
  std::vector<std::size_t> digits;
  for (std::size_t i = 0; i < problem.reasoning.size(); ++i) {
    if (problem.reasoning[i] >= '0' && problem.reasoning[i] <= '9') digits.push_back(i);
  }
  char& digit = problem.reasoning[*rc::gen::elementOf(digits)];
  digit = static_cast<char>('0' + (digit - '0' + *rc::gen::inRange(1, 10)) % 10);
  RC_ASSERT(!test::reasoning_fault(problem).empty());
}

RC_GTEST_PROP(ProblemLaws, AnyMissingLineIsFoundOut, ()) {
  Problem problem = make_problem({1, ProblemSplit::kTrain, {}, *rc::gen::inRange(1, 101) / 100.0},
                                 *rc::gen::inRange<std::uint64_t>(0, 100000));
  std::vector<std::size_t> ends;
  for (std::size_t i = 0; i < problem.reasoning.size(); ++i) {
    if (problem.reasoning[i] == '\n') ends.push_back(i);
  }
  const std::size_t end = *rc::gen::elementOf(ends);
  const std::size_t before = end == 0 ? std::string::npos : problem.reasoning.rfind('\n', end - 1);
  const std::size_t begin = before == std::string::npos ? 0 : before + 1;
  problem.reasoning.erase(begin, end + 1 - begin);
  RC_ASSERT(!test::reasoning_fault(problem).empty());
}

// --- the frozen mixture ---

// Tables, gates and adapters stand on these very problems: a new value here starts them all anew.
TEST(ProblemMixture, IsFrozen) {
  struct Frozen {
    ProblemFamily family;
    std::uint64_t hash;
  };
  constexpr Frozen kFrozen[] = {{ProblemFamily::kQuantities, 0xA1175CF275AA406E},
                                {ProblemFamily::kLedger, 0xF6B31C2DC5BF07DE},
                                {ProblemFamily::kPasscode, 0x6ADF3C68204D0C1E}};
  for (const Frozen& frozen : kFrozen) {
    std::uint64_t hash = fnv("");
    for (const ProblemSplit split : kSplits) {
      for (std::uint64_t i = 0; i < 100; ++i) {
        const Problem problem = make_problem({1, split, {frozen.family}, 1.0}, i);
        hash = fnv(problem_line(problem), hash);
      }
    }
    EXPECT_EQ(hash, frozen.hash) << problem_family_name(frozen.family) << " is now "
                                 << fmt::format("0x{:016X}", hash);
  }
}

}  // namespace
}  // namespace laconic
