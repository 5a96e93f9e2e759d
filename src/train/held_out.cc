// SPDX-License-Identifier: Apache-2.0
#include "train/held_out.h"

#include <map>

#include "data/problem.h"
#include "eval/run_arm.h"

namespace laconic::train {
namespace {

// Problems asked while training are not those of any published table.
constexpr std::uint64_t kHeldOutSeed = 90210;
// A decode step reads all weights once, whatever the number of sequences.
constexpr std::size_t kSequences = 32;

std::vector<TaskItem> held_out_problems(const Recipe& recipe) {
  std::vector<ProblemFamily> families;
  for (const std::string& name : recipe.data.families) families.push_back(problem_family(name));
  if (families.empty()) families.assign(std::begin(kProblemFamilies), std::end(kProblemFamilies));
  std::vector<TaskItem> items;
  for (const ProblemFamily family : families) {
    ProblemOptions options;
    options.seed = kHeldOutSeed;
    options.split = ProblemSplit::kTest;
    options.families = {family};
    for (std::size_t i = 0; i < recipe.evaluate.problems; ++i) {
      const Problem problem = make_problem(options, i);
      TaskItem item;
      item.id = problem.id;
      item.family = problem_family_name(family);
      item.question = problem.question;
      item.gold = std::to_string(problem.answer);
      items.push_back(std::move(item));
    }
  }
  return items;
}

}  // namespace

HeldOut evaluate_held_out(const std::filesystem::path& folder, const Recipe& recipe,
                          std::size_t threads, const std::function<void()>& on_step) {
  const Model model = Model::open(folder);
  const std::vector<TaskItem> items = held_out_problems(recipe);
  ArmOptions options;
  options.name = "full";
  options.session.threads = threads;
  options.generate.max_tokens = recipe.evaluate.max_tokens;
  // A text that repeats itself never gets to an answer, and half-trained models do it a lot.
  options.generate.stop_on_loop = true;
  options.batch = kSequences;
  std::map<std::string, HeldOutFamily> families;
  run_arm(
      model, items, options,
      [&](const Sample& sample) {
        HeldOutFamily& family = families[sample.family];
        family.family = sample.family;
        ++family.problems;
        family.correct += sample.correct ? 1 : 0;
        family.tokens += sample.ids.size();
      },
      [&](const ArmProgress&) {
        if (on_step) on_step();
      });
  HeldOut result;
  for (auto& [name, family] : families) result.families.push_back(std::move(family));
  return result;
}

}  // namespace laconic::train
