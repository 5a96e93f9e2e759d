// SPDX-License-Identifier: Apache-2.0
// Problems that need long reasoning, made from a seed: the diet and the examination of pocket.
//
// Three families in natural English. `quantities`: arithmetic over a hidden dependency graph, told
// in shuffled order with distractors. `ledger`: many small events on several named accounts, where
// early balances are needed late. `passcode`: a number stated or worked out once and asked for
// after a long unrelated computation. Promises: the same (seed, split, index, options) give the
// same problem on every machine; no question of one split occurs in the other; every step of the
// written reasoning follows from a few look-ups in what stands before it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace laconic {

enum class ProblemSplit { kTrain, kTest };
enum class ProblemFamily { kQuantities, kLedger, kPasscode };

inline constexpr ProblemFamily kProblemFamilies[] = {
    ProblemFamily::kQuantities, ProblemFamily::kLedger, ProblemFamily::kPasscode};

std::string_view problem_family_name(ProblemFamily family);
// Error(kUsage) for an unknown name, with the names there are.
ProblemFamily problem_family(std::string_view name);
ProblemSplit problem_split(std::string_view name);

struct ProblemOptions {
  std::uint64_t seed = 1;
  ProblemSplit split = ProblemSplit::kTrain;
  // Families drawn from, with equal shares; empty: all three.
  std::vector<ProblemFamily> families;
  // Share of the full size range, in (0, 1]: 1 is the mixture that pocket is examined on; less
  // gives shorter problems with smaller numbers (for a curriculum).
  double difficulty = 1.0;
};

struct Problem {
  std::string id;  // "quantities-test-1-17": family, split, seed, index
  ProblemFamily family = ProblemFamily::kQuantities;
  std::string question;
  std::string reasoning;  // what stands between <think> and </think>, without line ends around it
  std::int64_t answer = 0;
};

Problem make_problem(const ProblemOptions& options, std::uint64_t index);

// Passcode problems of a chosen length, for examinations of memory: how far the code lies back when
// it is asked for is then known beforehand.
struct PasscodeOptions {
  std::uint64_t seed = 1;
  ProblemSplit split = ProblemSplit::kTest;
  std::size_t steps = 8;    // of the counter, in [1, kMostPasscodeSteps]
  bool worked_out = false;  // the code is worked out in the reasoning; else the question states it
};
inline constexpr std::size_t kMostPasscodeSteps = 10000;

struct PasscodeProblem {
  Problem problem;   // "passcode-test-1-stated-8-17": family, split, seed, kind, steps, index
  std::string code;  // whose code is asked for, and nothing else: "the red box"
};

// Numbers and words are those of the full size (difficulty 1), but for the codes of problems whose
// labels of steps come near them: these are larger.
PasscodeProblem make_passcode(const PasscodeOptions& options, std::uint64_t index);

// What a model that solves the problem writes after the prompt, where the chat template has opened
// the think block: "reasoning\n</think>\n\nThe answer is \boxed{N}."
std::string solution_text(const Problem& problem);

// One GSM8K line: {"question", "answer" (steps, then "#### N"), "id", "family"}.
std::string problem_line(const Problem& problem);

}  // namespace laconic
