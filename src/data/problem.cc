// SPDX-License-Identifier: Apache-2.0
#include "data/problem.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/fnv.h"
#include "base/json.h"
#include "data/problem_families.h"

namespace laconic {
namespace {

// A question belongs to the test split when its hash falls into one of this many buckets: splits
// are disjoint whatever the seeds.
constexpr std::uint64_t kTestBuckets = 8;

std::uint64_t hash_text(std::string_view text) {
  const std::uint64_t hash = fnv1a(text);
  return hash ^ (hash >> 29);
}

ProblemSplit split_of(std::string_view question) {
  return hash_text(question) % kTestBuckets == 0 ? ProblemSplit::kTest : ProblemSplit::kTrain;
}

ProblemDraft draft(ProblemFamily family, ProblemDraw& draw, double difficulty) {
  switch (family) {
    case ProblemFamily::kQuantities:
      return draft_quantities(draw, difficulty);
    case ProblemFamily::kLedger:
      return draft_ledger(draw, difficulty);
    case ProblemFamily::kPasscode:
      break;
  }
  return draft_passcode(draw, difficulty);
}

std::string_view split_name(ProblemSplit split) {
  return split == ProblemSplit::kTrain ? "train" : "test";
}

// Drafts are made, `make(attempt)`, until a question falls on the wanted side.
template <typename Make>
void fill(Problem& problem, ProblemSplit split, const Make& make) {
  for (std::uint64_t attempt = 0;; ++attempt) {
    ProblemDraft made = make(attempt);
    if (split_of(made.question) != split) continue;
    problem.question = std::move(made.question);
    problem.reasoning = std::move(made.reasoning);
    problem.answer = made.answer;
    return;
  }
}

}  // namespace

std::string_view problem_family_name(ProblemFamily family) {
  switch (family) {
    case ProblemFamily::kQuantities:
      return "quantities";
    case ProblemFamily::kLedger:
      return "ledger";
    case ProblemFamily::kPasscode:
      break;
  }
  return "passcode";
}

ProblemFamily problem_family(std::string_view name) {
  for (const ProblemFamily family : kProblemFamilies) {
    if (name == problem_family_name(family)) return family;
  }
  throw_usage("the problem family '{}' is not known; there are quantities, ledger and passcode",
              name);
}

ProblemSplit problem_split(std::string_view name) {
  if (name == "train") return ProblemSplit::kTrain;
  if (name == "test") return ProblemSplit::kTest;
  throw_usage("the split '{}' is not known; there are train and test", name);
}

Problem make_problem(const ProblemOptions& options, std::uint64_t index) {
  if (!(options.difficulty > 0.0 && options.difficulty <= 1.0)) {
    throw_usage("the difficulty {} is not allowed; it lies above 0 and is at most 1",
                options.difficulty);
  }
  const std::span<const ProblemFamily> families =
      options.families.empty() ? std::span<const ProblemFamily>(kProblemFamilies)
                               : std::span<const ProblemFamily>(options.families);
  Problem problem;
  problem.family = families[static_cast<std::size_t>(index % families.size())];
  problem.id = fmt::format("{}-{}-{}-{}", problem_family_name(problem.family),
                           split_name(options.split), options.seed, index);
  fill(problem, options.split, [&](std::uint64_t attempt) {
    ProblemDraw draw({options.seed, static_cast<std::uint64_t>(problem.family),
                      static_cast<std::uint64_t>(options.split), index, attempt});
    return draft(problem.family, draw, options.difficulty);
  });
  return problem;
}

PasscodeProblem make_passcode(const PasscodeOptions& options, std::uint64_t index) {
  if (options.steps == 0 || options.steps > kMostPasscodeSteps) {
    throw_usage("a passcode problem of {} steps is not allowed; it has 1 to {}", options.steps,
                kMostPasscodeSteps);
  }
  PasscodeProblem out;
  out.problem.family = ProblemFamily::kPasscode;
  out.problem.id = fmt::format("{}-{}-{}-{}-{}-{}", problem_family_name(out.problem.family),
                               split_name(options.split), options.seed,
                               options.worked_out ? "worked" : "stated", options.steps, index);
  fill(out.problem, options.split, [&](std::uint64_t attempt) {
    ProblemDraw draw({options.seed, static_cast<std::uint64_t>(out.problem.family),
                      static_cast<std::uint64_t>(options.split), index, attempt, options.steps,
                      options.worked_out ? 1u : 0u});
    PasscodeDraft made = draft_passcode_of(draw, options.steps, options.worked_out);
    out.code = std::move(made.code);
    return std::move(made.draft);
  });
  return out;
}

std::string solution_text(const Problem& problem) {
  return fmt::format("{}\n</think>\n\nThe answer is \\boxed{{{}}}.", problem.reasoning,
                     problem.answer);
}

std::string problem_line(const Problem& problem) {
  Json line;
  line["id"] = problem.id;
  line["family"] = problem_family_name(problem.family);
  line["question"] = problem.question;
  line["answer"] = fmt::format("{}\n#### {}", problem.reasoning, problem.answer);
  return line.dump();
}

}  // namespace laconic
