// SPDX-License-Identifier: Apache-2.0
#include "cli/eval_kld.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "cli/eval_options.h"
#include "cli/run_output.h"
#include "cli/standard_streams.h"
#include "eval/divergence.h"
#include "eval/divergence_report.h"
#include "eval/progress.h"
#include "eval/settings.h"

namespace laconic::cli {
namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr std::size_t kBarWidth = 24;

bool keeps_every_row(const KvOptions& kv) {
  return kv.policy == KvPolicy::kFull && kv.heads.empty();
}

[[noreturn]] void refuse_alone() {
  throw_usage(
      "--kld measures against the full cache: name another one with --compare, like rpc:ratio=4");
}

// What is compared with what.
struct Caches {
  KvOptions reference;
  std::vector<ArmOptions> arms;
};

Caches caches_of(std::span<const ArmOptions> arms) {
  Caches out;
  bool named = false;
  for (const ArmOptions& arm : arms) {
    if (!named && keeps_every_row(arm.session.kv)) {
      out.reference = arm.session.kv;
      named = true;
    } else {
      out.arms.push_back(arm);
    }
  }
  if (out.arms.empty()) refuse_alone();
  if (!named) out.reference.type = out.arms.front().session.kv.type;
  return out;
}

// A bar on a terminal, a line now and then elsewhere.
class KldProgress {
 public:
  KldProgress() : terminal_(::isatty(STDERR_FILENO) == 1), last_(Clock::now()) {}
  ~KldProgress() {
    if (terminal_) say("\r\x1b[K");
  }
  KldProgress(const KldProgress&) = delete;
  KldProgress& operator=(const KldProgress&) = delete;

  void show(const DivergenceProgress& p) {
    const auto now = Clock::now();
    if (now - last_ < (terminal_ ? 200ms : 10000ms)) return;
    last_ = now;
    std::string text = fmt::format("{} of {} answers", p.finished, p.answers);
    if (p.steps > 0 && p.seconds > 0) {
      const double pace = static_cast<double>(p.steps) / p.seconds;
      const auto left = static_cast<double>(p.steps_in_all - p.steps);
      text += fmt::format(", {:.0f} tokens/s, {} left", pace, clock_text(left / pace));
    }
    const std::string bar = progress_bar(p.steps, p.steps_in_all, kBarWidth);
    say(terminal_ ? "\r\x1b[K" + bar + " " + text : text + "\n");
  }

 private:
  bool terminal_;
  Clock::time_point last_;
};

Json document_of(const KldRequest& request, const SavedAnswers& answers, const Caches& caches,
                 std::span<const Json> full_heads, std::span<const DivergenceReport> reports) {
  Json document = request.run.is_object() ? request.run : Json::object();
  document["samples"] = request.samples;
  document["samples_arm"] = answers.arm;
  document["reference"] = cache_json(caches.reference, nullptr);
  document["arms"] = Json::array();
  for (std::size_t i = 0; i < reports.size(); ++i) {
    Json arm = divergence_json(reports[i]);
    arm.update(cache_json(caches.arms[i].session.kv, full_heads[i]));
    document["arms"].push_back(std::move(arm));
  }
  return document;
}

}  // namespace

void check_kld(std::span<const ArmSpec> arms) {
  const auto full = std::count_if(arms.begin(), arms.end(),
                                  [](const ArmSpec& arm) { return keeps_every_row(arm.kv); });
  // One full cache is the reference itself; another element type is a cache to be measured.
  if (static_cast<std::size_t>(full) == arms.size() && full <= 1) refuse_alone();
}

void run_kld(const Model& model, std::span<const ArmOptions> arms, const KldRequest& request,
             const InterruptWatch& watch) {
  const Caches caches = caches_of(arms);
  SavedAnswers answers = load_saved_answers(request.samples, model);
  if (request.limit != 0 && request.limit < answers.samples.size()) {
    answers.samples.resize(request.limit);
  }
  // As the tables stand now, when the caches read them.
  std::vector<Json> full_heads;
  for (const ArmOptions& arm : caches.arms) {
    full_heads.push_back(full_heads_json(model, arm.session.kv));
  }
  std::vector<DivergenceReport> reports;
  {
    KldProgress progress;
    const DivergencePlan plan{answers.samples, caches.reference, caches.arms,
                              caches.arms.front().batch};
    const auto measured = measure_divergence(model, plan, [&](const DivergenceProgress& now) {
      if (watch.requested()) throw Interrupted(watch.signal());
      progress.show(now);
    });
    for (const ArmDivergence& arm : measured) {
      reports.push_back(report_divergence(arm, request.seed));
    }
  }
  const std::string text = divergence_table(reports) + "\n" + divergence_stage_table(reports);
  // Out before the file is written, which may fail; whether it arrived is asked at the end.
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
  if (request.json.empty()) return;
  const Json document = document_of(request, answers, caches, full_heads, reports);
  write_file_atomic(request.json, dump_json(document, 2) + "\n");
}

}  // namespace laconic::cli
