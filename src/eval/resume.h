// SPDX-License-Identifier: Apache-2.0
// Which answers of a sample file count for a run: those of the same model, problems and settings. A
// line that belongs to something else is an error, since the file would then mix two experiments;
// a line of an arm that this run does not have is left alone.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "eval/run_arm.h"
#include "eval/sample_file.h"

namespace laconic {

struct ResumeRequest {
  std::span<const TaskItem> task;  // the whole set
  std::span<const ArmOptions> arms;
  std::span<const Json> settings;  // [arm] what arm_settings() says
};

// The samples there are, graded anew: [arm][problem of the task]. Error(kInput) names the line and
// the difference. An answer that ran out of cache memory is not taken: this run may have more.
std::vector<std::vector<std::optional<Sample>>> resume(const Model& model,
                                                       const ResumeRequest& request,
                                                       const SampleFile& file);

}  // namespace laconic
