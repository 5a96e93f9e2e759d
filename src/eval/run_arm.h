// SPDX-License-Identifier: Apache-2.0
// Decodes a problem set under one cache policy, as many sequences at once as the cache memory lets
// in.
//
// Promises: every problem is asked through the chat template, graded and handed out as soon as it
// is finished; the samples do not depend on what was decoded beside them, on the batch, or on the
// order of the problems. A model without a template is asked in plain text, as `laconic run` does.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "eval/sample.h"
#include "eval/task.h"
#include "laconic/model.h"
#include "laconic/session.h"

namespace laconic {

struct ArmOptions {
  std::string name;          // Sample::arm
  SessionOptions session;    // threads, memory, and the policy
  GenerateOptions generate;  // sampling, limits; the draws of a problem are keyed by its id as well
  std::string instruction;   // added to the question after a line end, when not empty
  std::size_t batch = 16;    // most sequences at once
  Reasoning reasoning = Reasoning::kAuto;  // what the chat template is asked for
  bool raw = false;                        // plain text although there is a chat template
};

struct ArmProgress {
  std::size_t finished = 0, correct = 0, running = 0;
  std::size_t tokens = 0;           // generated so far by all
  std::size_t finished_tokens = 0;  // those of finished answers
};

struct ArmTotals {
  std::size_t tokens = 0;     // generated
  double decode_seconds = 0;  // wall time of the whole arm's steps
};

// How a problem is put to the model.
struct ArmPrompt {
  std::vector<std::int32_t> ids;
  bool reasoning_open = false;  // it ends inside a <think> block
};
ArmPrompt arm_prompt(const Model& model, const TaskItem& item, const ArmOptions& options);

// Refuses what run_arm() would refuse, and decodes nothing: Error(kUsage) names a problem whose
// prompt is longer than the context, Error(kResource) one whose prompt the cache memory can never
// hold.
void check_arm(const Model& model, std::span<const TaskItem> items, const ArmOptions& options);

// `on_sample` is called once per item, in the order in which they finish; `on_step` after each
// step. What they throw ends the arm. check_arm() comes first.
ArmTotals run_arm(const Model& model, std::span<const TaskItem> items, const ArmOptions& options,
                  const std::function<void(const Sample&)>& on_sample,
                  const std::function<void(const ArmProgress&)>& on_step = {});

}  // namespace laconic
