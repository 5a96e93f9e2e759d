// SPDX-License-Identifier: Apache-2.0
#include "eval/evaluate.h"

#include <algorithm>
#include <chrono>
#include <unordered_map>

#include "base/error.h"
#include "engine/model_fingerprint.h"
#include "eval/progress.h"
#include "eval/resume.h"
#include "eval/settings.h"

namespace laconic {
namespace {

using Clock = std::chrono::steady_clock;
using Samples = std::vector<std::optional<Sample>>;  // [problem]

class Evaluation {
 public:
  Evaluation(const Model& model, const EvaluationPlan& plan, SampleFile* file,
             const std::function<void(const EvaluationProgress&)>& on_progress);
  std::vector<EvaluatedArm> run();

 private:
  std::vector<TaskItem> missing(std::size_t arm) const;
  void require_same_heads(std::size_t arm) const;
  EvaluatedArm run_one(std::size_t arm);
  void take_new(std::size_t arm, const Sample& sample);
  void show(const ArmProgress& arm);

  const Model& model_;
  std::span<const TaskItem> items_;  // those that are asked
  std::span<const ArmOptions> arms_;
  SampleFile* file_;
  const std::function<void(const EvaluationProgress&)>& on_progress_;
  std::vector<Json> settings_;    // [arm]
  std::vector<Json> full_heads_;  // [arm] those of the settings
  std::vector<Samples> samples_;  // [arm]
  std::unordered_map<std::string, std::size_t> index_of_;
  std::size_t to_decode_ = 0;  // in all arms
  Workload work_;              // of all arms
  EvaluationProgress progress_;
  Clock::time_point start_, arm_start_;
};

Evaluation::Evaluation(const Model& model, const EvaluationPlan& plan, SampleFile* file,
                       const std::function<void(const EvaluationProgress&)>& on_progress)
    : model_(model),
      items_(plan.limit == 0 ? plan.task : plan.task.first(std::min(plan.limit, plan.task.size()))),
      arms_(plan.arms),
      file_(file),
      on_progress_(on_progress),
      samples_(plan.arms.size(), Samples(items_.size())) {
  const std::string fingerprint = model_fingerprint(model);
  for (const ArmOptions& arm : arms_) {
    settings_.push_back(arm_settings(model, fingerprint, arm));
    full_heads_.push_back(full_heads_json(model, arm.session.kv));
  }
  for (std::size_t i = 0; i < items_.size(); ++i) index_of_.emplace(items_[i].id, i);
  if (file != nullptr) samples_ = resume(model, {plan.task, arms_, settings_}, *file);
  for (Samples& samples : samples_) {
    samples.resize(items_.size());
    to_decode_ +=
        static_cast<std::size_t>(std::count(samples.begin(), samples.end(), std::nullopt));
  }
  for (std::size_t arm = 0; arm < arms_.size(); ++arm) check_arm(model, missing(arm), arms_[arm]);
}

std::vector<TaskItem> Evaluation::missing(std::size_t arm) const {
  std::vector<TaskItem> out;
  for (std::size_t i = 0; i < items_.size(); ++i) {
    if (!samples_[arm][i]) out.push_back(items_[i]);
  }
  return out;
}

// An arm reads its table when it begins, perhaps hours after the settings were written down.
void Evaluation::require_same_heads(std::size_t arm) const {
  const KvOptions& kv = arms_[arm].session.kv;
  if (full_heads_json(model_, kv) == full_heads_[arm]) return;
  throw_input("{}: the table {} has changed since the run began; start it anew", arms_[arm].name,
              kv.heads);
}

std::vector<EvaluatedArm> Evaluation::run() {
  std::vector<EvaluatedArm> out;
  start_ = Clock::now();
  for (std::size_t arm = 0; arm < arms_.size(); ++arm) out.push_back(run_one(arm));
  return out;
}

EvaluatedArm Evaluation::run_one(std::size_t arm) {
  Samples& samples = samples_[arm];
  progress_ = {};
  progress_.arm = arm;
  progress_.problems = items_.size();
  for (const std::optional<Sample>& sample : samples) {
    if (sample) ++progress_.finished;
    if (sample && sample->correct) ++progress_.correct;
  }
  const std::vector<TaskItem> to_ask = missing(arm);
  EvaluatedArm out;
  out.name = arms_[arm].name;
  out.decoded = to_ask.size();
  out.full_heads = full_heads_[arm];
  require_same_heads(arm);
  arm_start_ = Clock::now();
  out.totals = run_arm(
      model_, to_ask, arms_[arm], [&](const Sample& sample) { take_new(arm, sample); },
      [&](const ArmProgress& progress) { show(progress); });
  for (std::optional<Sample>& sample : samples) out.samples.push_back(*std::move(sample));
  return out;
}

void Evaluation::take_new(std::size_t arm, const Sample& sample) {
  if (file_ != nullptr) file_->append(sample, settings_[arm]);
  samples_[arm][index_of_.at(sample.id)] = sample;
  ++progress_.finished;
  if (sample.correct) ++progress_.correct;
  ++work_.finished;
  work_.finished_tokens += sample.ids.size();
}

void Evaluation::show(const ArmProgress& arm) {
  if (!on_progress_) return;
  const auto since = [](Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
  };
  work_.running = arm.running;
  work_.running_tokens = arm.tokens - arm.finished_tokens;
  work_.waiting = to_decode_ - work_.finished - work_.running;
  work_.seconds = since(start_);
  progress_.tokens_per_second = static_cast<double>(arm.tokens) / since(arm_start_);
  progress_.seconds_left = seconds_left(work_);
  on_progress_(progress_);
}

}  // namespace

std::vector<EvaluatedArm> evaluate(
    const Model& model, const EvaluationPlan& plan, SampleFile* file,
    const std::function<void(const EvaluationProgress&)>& on_progress) {
  return Evaluation(model, plan, file, on_progress).run();
}

}  // namespace laconic
