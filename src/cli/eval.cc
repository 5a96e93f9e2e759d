// SPDX-License-Identifier: Apache-2.0
// `laconic eval`: problems under several cache policies, and a table of what each costs and solves.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/threads.h"
#include "cli/command.h"
#include "cli/eval_options.h"
#include "cli/eval_progress.h"
#include "cli/interrupt.h"
#include "cli/kv_flags.h"
#include "cli/run_output.h"
#include "cli/standard_streams.h"
#include "cli/version.h"
#include "eval/evaluate.h"
#include "eval/fingerprint.h"
#include "eval/report.h"
#include "eval/settings.h"
#include "eval/task.h"

namespace laconic::cli {
namespace {

// What holds for all arms.
Json run_json(const Model& model, const EvalOptions& options, const ArmOptions& arm,
              std::size_t problems) {
  const Json all = arm_settings(model, model_fingerprint(model), arm);
  Json settings = Json::object();
  for (const auto& [name, value] : all.items()) {
    if (!is_cache_setting(name)) settings[name] = value;
  }
  const std::size_t threads = options.machine.threads();
  return {{"version", kVersion},
          {"cpu", cpu_name()},
          {"threads", threads == 0 ? available_cores() : threads},
          {"batch", options.batch},
          {"model", options.model},
          {"task", options.task},
          {"instruction", options.instruction},
          {"problems", problems},
          {"bootstrap", {{"resamples", kBootstrapResamples}, {"seed", arm.generate.sampling.seed}}},
          {"settings", settings}};
}

class EvalCommand : public Command {
 public:
  CLI::App* declare(CLI::App& tool) override {
    CLI::App* app = tool.add_subcommand("eval", "Solve problems under several cache policies");
    options_.declare(*app);
    return app;
  }

  int run() override {
    options_.check();
    options_.machine.apply();
    const std::vector<TaskItem> task = load_task(options_.task);
    options_.check(task);
    const Model model = Model::open(options_.model, options_.model_options());
    for (const std::string& name : model.info().not_quantized) {
      say("not quantised: " + name + "\n");
    }
    const std::vector<ArmOptions> arms = options_.arms(model);
    std::optional<SampleFile> file;
    if (!options_.samples.empty()) file.emplace(options_.samples);

    const InterruptWatch watch(InterruptWatch::Signals::kInterruptAndTerminate);
    try {
      report(model, arms, decode(model, task, arms, file ? &*file : nullptr, watch));
    } catch (const Interrupted& interrupted) {
      say("laconic: interrupted; " +
          (file ? "the same command goes on from the answers in " + options_.samples
                : "with --samples FILE the next run would go on from here") +
          "\n");
      return interrupted.exit_code();
    }
    return 0;
  }

 private:
  std::vector<EvaluatedArm> decode(const Model& model, const std::vector<TaskItem>& task,
                                   const std::vector<ArmOptions>& arms, SampleFile* file,
                                   const InterruptWatch& watch) const {
    std::vector<std::string> names;
    for (const ArmOptions& arm : arms) names.push_back(arm.name);
    EvalProgress progress(std::move(names));
    return evaluate(model, {task, options_.limit, arms}, file, [&](const EvaluationProgress& now) {
      if (watch.requested()) throw Interrupted(watch.signal());
      progress.show(now);
    });
  }

  void report(const Model& model, const std::vector<ArmOptions>& arms,
              const std::vector<EvaluatedArm>& evaluated) const {
    const std::vector<ArmReport> reports =
        report_arms(evaluated, arms.front().generate.sampling.seed);
    std::string text = report_table(reports);
    if (options_.by_family) text += "\n" + family_table(reports);
    // Out before the file is written, which may fail; whether it arrived is asked at the end.
    std::fwrite(text.data(), 1, text.size(), stdout);
    std::fflush(stdout);
    if (!options_.json.empty()) write_json(model, arms, reports);
  }

  void write_json(const Model& model, const std::vector<ArmOptions>& arms,
                  const std::vector<ArmReport>& reports) const {
    Json document = run_json(model, options_, arms.front(), reports.front().share.problems);
    document["arms"] = Json::array();
    for (std::size_t i = 0; i < arms.size(); ++i) {
      Json arm = report_json(reports[i]);
      arm["policy"] = arms[i].session.kv.policy_name();
      arm["options"] = kv_options_json(arms[i].session.kv);
      document["arms"].push_back(std::move(arm));
    }
    write_file_atomic(options_.json, dump_json(document, 2) + "\n");
  }

  EvalOptions options_;
};

}  // namespace

std::unique_ptr<Command> make_eval_command() { return std::make_unique<EvalCommand>(); }

}  // namespace laconic::cli
