// SPDX-License-Identifier: Apache-2.0
// Several arms over one problem set, one after the other, going on from the answers that a sample
// file holds already.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "base/json.h"
#include "eval/run_arm.h"
#include "eval/sample_file.h"

namespace laconic {

struct EvaluatedArm {
  std::string name;
  std::vector<Sample> samples;  // [problem]
  ArmTotals totals;             // of what was decoded now
  std::size_t decoded = 0;      // answers decoded now; the others were in the file
  Json full_heads;              // what full_heads_json() says
};

struct EvaluationProgress {
  std::size_t arm = 0;                                  // index of the arm at work
  std::size_t finished = 0, correct = 0, problems = 0;  // of this arm, resumed ones included
  double tokens_per_second = 0;                         // of this arm so far
  std::optional<double> seconds_left;                   // for all arms; unknown at first
};

struct EvaluationPlan {
  std::span<const TaskItem> task;  // the whole set: a sample of a problem outside it is refused
  std::size_t limit = 0;           // only so many problems, from the first; 0: all
  std::span<const ArmOptions> arms;
};

// Decodes what `file` (may be null) does not hold, and appends each answer to it as it is finished.
// Samples are graded anew. What `on_progress` throws ends the evaluation; the file then holds all
// finished answers. Error(kInput) when the file was written by another model, task or settings;
// what check_arm() refuses of any arm is refused before anything is decoded. Error(kInput) also
// when a table of heads has changed by the time that its arm begins.
std::vector<EvaluatedArm> evaluate(
    const Model& model, const EvaluationPlan& plan, SampleFile* file,
    const std::function<void(const EvaluationProgress&)>& on_progress = {});

}  // namespace laconic
