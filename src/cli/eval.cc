// SPDX-License-Identifier: Apache-2.0
// `laconic eval`: problems under several cache policies, and a table of what each costs and solves.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/threads.h"
#include "cli/command.h"
#include "cli/eval_kld.h"
#include "cli/eval_options.h"
#include "cli/eval_progress.h"
#include "cli/interrupt.h"
#include "cli/run_output.h"
#include "cli/standard_streams.h"
#include "cli/version.h"
#include "engine/model_fingerprint.h"
#include "eval/evaluate.h"
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
          {"quantize", options.quantize.empty() ? Json(nullptr) : Json(options.quantize)},
          {"task", options.task},
          {"instruction", options.instruction},
          {"raw", options.raw},
          {"reasoning", options.reasoning},
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
    const std::vector<TaskItem> task =
        options_.task.empty() ? std::vector<TaskItem>() : load_task(options_.task);
    options_.check(task);
    const Model model = Model::open(options_.model, options_.model_options());
    for (const std::string& name : model.info().not_quantized) {
      say("not quantised: " + name + "\n");
    }
    const std::vector<ArmOptions> arms = options_.arms(model);
    std::optional<SampleFile> file;
    if (!options_.samples.empty()) file.emplace(options_.samples);
    SampleFile* samples = file ? &*file : nullptr;

    const InterruptWatch watch(InterruptWatch::Signals::kInterruptAndTerminate);
    try {
      if (options_.probe.given()) {
        study(model, arms, samples, watch);
      } else if (!options_.kld.empty()) {
        follow(model, arms, watch);
      } else if (const auto request = options_.match_request()) {
        match(model, task, arms, *request, samples, watch);
      } else {
        report(model, arms, decode(model, task, arms, samples, watch));
      }
    } catch (const Interrupted& interrupted) {
      say("laconic: interrupted; " + how_to_go_on() + "\n");
      return interrupted.exit_code();
    }
    return 0;
  }

 private:
  std::string how_to_go_on() const {
    if (!options_.samples.empty()) {
      return "the same command goes on from the answers in " + options_.samples;
    }
    return options_.kld.empty() ? "with --samples FILE the next run would go on from here"
                                : "the same command begins anew";
  }

  std::vector<EvaluatedArm> decode(const Model& model, const std::vector<TaskItem>& task,
                                   std::span<const ArmOptions> arms, SampleFile* file,
                                   const InterruptWatch& watch) const {
    EvalProgress progress(names(arms));
    return evaluate(model, {task, options_.limit, arms}, file, [&](const EvaluationProgress& now) {
      if (watch.requested()) throw Interrupted(watch.signal());
      progress.show(now);
    });
  }

  static std::vector<std::string> names(std::span<const ArmOptions> arms) {
    std::vector<std::string> out;
    for (const ArmOptions& arm : arms) out.push_back(arm.name);
    return out;
  }

  // Predictions along saved answers.
  void follow(const Model& model, const std::vector<ArmOptions>& arms,
              const InterruptWatch& watch) const {
    KldRequest request;
    request.samples = options_.kld;
    request.json = options_.json;
    request.limit = options_.limit;
    request.seed = arms.front().generate.sampling.seed;
    request.run = run_json(model, options_, arms.front(), 0);
    for (const char* none : {"task", "instruction", "raw", "reasoning", "problems", "settings"}) {
      request.run.erase(none);
    }
    run_kld(model, arms, request, watch);
  }

  // Problems made for a question of their own.
  void study(const Model& model, const std::vector<ArmOptions>& arms, SampleFile* file,
             const InterruptWatch& watch) const {
    ProbeOutcome outcome;
    {
      EvalProgress progress(names(arms));
      outcome = run_probe(model, options_.probe, arms, file, [&](const EvaluationProgress& now) {
        if (watch.requested()) throw Interrupted(watch.signal());
        progress.show(now);
      });
    }
    print(outcome.text);
    if (options_.json.empty()) return;
    Json document = run_json(model, options_, arms.front(), 0);
    document.erase("task");
    document.update(outcome.json);
    write_file_atomic(options_.json, dump_json(document, 2) + "\n");
  }

  // Every arm at the ratio or budget that makes it hold equally many rows. The full cache comes
  // first: its answers say what a ratio comes to.
  void match(const Model& model, const std::vector<TaskItem>& task,
             const std::vector<ArmOptions>& arms, const MatchRequest& request, SampleFile* file,
             const InterruptWatch& watch) const {
    const auto found = std::find_if(arms.begin(), arms.end(), [](const ArmOptions& arm) {
      return is_full_cache(arm.session.kv);
    });
    ArmOptions first = found == arms.end() ? arms.front() : *found;
    if (found == arms.end()) {
      first.name = "full";
      first.session.kv = {};
      first.session.kv.type = arms.front().session.kv.type;
    }
    std::vector<EvaluatedArm> answers = decode(model, task, {&first, 1}, file, watch);
    const std::vector<Sample> full = answers.front().samples;
    const std::vector<MatchedArm> matched = match_arms(arms, full, request);
    std::vector<ArmOptions> all = {first};
    // Full caches of other element types have nothing to match, and are compared as they are.
    for (const ArmOptions& arm : arms) {
      if (is_full_cache(arm.session.kv) && arm.name != first.name) all.push_back(arm);
    }
    const std::size_t before = all.size();
    for (const MatchedArm& arm : matched) all.push_back(arm.arm);
    const auto rest = std::span<const ArmOptions>(all).subspan(1);
    for (EvaluatedArm& arm : decode(model, task, rest, file, watch)) {
      answers.push_back(std::move(arm));
    }
    std::vector<MatchResult> results;
    for (std::size_t i = 0; i < matched.size(); ++i) {
      results.push_back(
          {matched[i].arm.name, matched[i].asked, matched[i].predicted,
           obtained_fractions(model.info(), matched[i].arm.session.kv.type,
                              answers[before + i].samples, first.session.kv.type, full)});
    }
    report(model, all, answers, "\n" + match_table(results, request.what),
           match_json(results, request.what));
  }

  void report(const Model& model, const std::vector<ArmOptions>& arms,
              const std::vector<EvaluatedArm>& evaluated, const std::string& more = {},
              const Json& match = nullptr) const {
    std::vector<std::size_t> bytes;
    for (const ArmOptions& arm : arms) {
      bytes.push_back(bytes_of_rows(model.info(), arm.session.kv.type));
    }
    const std::vector<ArmReport> reports =
        report_arms(evaluated, arms.front().generate.sampling.seed, bytes);
    std::string text = report_table(reports);
    if (options_.by_family) text += "\n" + family_table(reports);
    if (options_.measures) text += "\n" + measures_table(reports);
    print(text + more);
    if (options_.json.empty()) return;
    Json document = run_json(model, options_, arms.front(), reports.front().share.problems);
    document["arms"] = Json::array();
    for (std::size_t i = 0; i < arms.size(); ++i) {
      Json arm = report_json(reports[i]);
      arm.update(cache_json(arms[i].session.kv, evaluated[i].full_heads));
      document["arms"].push_back(std::move(arm));
    }
    if (!match.is_null()) document["match"] = match;
    write_file_atomic(options_.json, dump_json(document, 2) + "\n");
  }

  // Out before a file is written, which may fail; whether it arrived is asked at the end.
  static void print(const std::string& text) {
    std::fwrite(text.data(), 1, text.size(), stdout);
    std::fflush(stdout);
  }

  EvalOptions options_;
};

}  // namespace

std::unique_ptr<Command> make_eval_command() { return std::make_unique<EvalCommand>(); }

}  // namespace laconic::cli
