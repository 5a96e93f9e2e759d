// SPDX-License-Identifier: Apache-2.0
#include "cli/eval_probe.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <limits>

#include "base/error.h"
#include "cli/eval_options.h"
#include "cli/numbers.h"
#include "data/problem.h"
#include "eval/probe_report.h"

namespace laconic::cli {
namespace {

constexpr const char* kPasscode = "passcode";
// A table that nobody would read to its end, and more answers than anybody waits for.
constexpr std::size_t kMostCounts = 1000;

}  // namespace

void ProbeFlags::declare(CLI::App& app) {
  constexpr const char* kGroup = "Study";
  app.add_option("--probe", name_,
                 "instead of --task: passcode, accuracy by the number of compressions between a "
                 "code and its question in the written solution")
      ->type_name("NAME")
      ->group(kGroup);
  add_count(app, "--probe-problems", problems_, 1, kMostCount,
            "problems of each number of compressions, once stated, once worked out (20)")
      ->group(kGroup);
  add_count(app, "--probe-counts", counts_, 1, kMostCounts, "most compressions (20)")
      ->group(kGroup);
  add_count(app, "--probe-steps", steps_, 1, kMostPasscodeSteps,
            "most steps of a problem's counter; pocket has learned up to 48 (as the context "
            "allows)")
      ->group(kGroup);
  add_count(app, "--probe-seed", seed_, 0, std::numeric_limits<std::uint64_t>::max(),
            "same seed, same problems (1)")
      ->group(kGroup);
}

void ProbeFlags::check(std::span<const ArmSpec> arms) const {
  if (!given()) {
    if (problems_ || counts_ || steps_ || seed_) {
      throw_usage("--probe-problems, -counts, -steps and -seed have no effect without --probe {}",
                  kPasscode);
    }
    return;
  }
  if (name_ != kPasscode) throw_usage("--probe '{}' is not known: there is {}", name_, kPasscode);
  const bool again = std::any_of(arms.begin(), arms.end(),
                                 [](const ArmSpec& arm) { return compresses_again(arm.kv); });
  if (!again) {
    throw_usage(
        "--probe counts compressions: at least one arm of --compare has to evict while decoding");
  }
}

ProbeOptions ProbeFlags::options() const {
  ProbeOptions out;
  out.problems = problems_.value_or(out.problems);
  out.counts = counts_.value_or(out.counts);
  out.most_steps = steps_.value_or(out.most_steps);
  out.seed = seed_.value_or(out.seed);
  return out;
}

ProbeOutcome run_probe(const Model& model, const ProbeFlags& flags,
                       std::span<const ArmOptions> arms, SampleFile* file,
                       const std::function<void(const EvaluationProgress&)>& on_progress) {
  const ProbeOptions options = flags.options();
  const ProbePlan plan = plan_probe(model, arms, options);
  const std::vector<EvaluatedArm> evaluated =
      evaluate(model, {plan.task, /*limit=*/0, arms}, file, on_progress);
  const std::vector<ProbeArm> reports = report_probe(model, plan, arms, evaluated);

  ProbeOutcome out;
  for (const CodeOrigin origin : kCodeOrigins) {
    if (!out.text.empty()) out.text += "\n";
    out.text += probe_table(reports, origin) + "\n" + probe_found_table(reports, origin);
  }
  const std::string gaps = probe_gaps_text(plan.gaps);
  if (!gaps.empty()) out.text += "\n" + gaps;

  out.json = {{"probe", flags.name()},
              {"counts", options.counts},
              {"problems_per_count", options.problems},
              {"steps", options.most_steps == 0 ? Json(nullptr) : Json(options.most_steps)},
              {"seed", options.seed},
              {"problems", plan.task.size()},
              {"not_reached", probe_gaps_json(plan.gaps)},
              {"arms", Json::array()}};
  for (std::size_t i = 0; i < reports.size(); ++i) {
    Json arm = probe_json(reports[i]);
    arm.update(cache_json(arms[i].session.kv, evaluated[i].full_heads));
    arm["decoded"] = evaluated[i].decoded;
    out.json["arms"].push_back(std::move(arm));
  }
  return out;
}

}  // namespace laconic::cli
