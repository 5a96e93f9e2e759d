// SPDX-License-Identifier: Apache-2.0
// What `laconic eval` was asked to do. Everything that can be checked without a model is checked by
// check(), so that a typing error costs no loading time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/json.h"
#include "cli/eval_probe.h"
#include "cli/machine_flags.h"
#include "cli/sampling_flags.h"
#include "eval/arm_spec.h"
#include "eval/match.h"
#include "eval/run_arm.h"
#include "eval/task.h"
#include "laconic/model.h"

namespace laconic::cli {

struct EvalOptions {
  std::string model, task;
  std::vector<std::string> compare;
  std::string instruction, reasoning = "auto";
  bool raw = false;
  std::size_t limit = 0;         // 0: all problems
  std::int64_t max_tokens = -1;  // -1: to the end
  std::size_t batch = 16, context = 0;
  std::string kv_memory, kv_type, quantize;
  std::string json, samples;
  bool by_family = false, measures = false;
  std::string kld;        // samples along which predictions are compared; instead of a task
  std::string match, at;  // equal memory: what, and the fractions
  ProbeFlags probe;       // a study; instead of a task

  SamplingFlags sampling;
  MachineFlags machine;

  void declare(CLI::App& app);
  void check() const;
  void check(std::span<const TaskItem> items) const;  // whether the options fit the problems

  std::optional<MatchRequest> match_request() const;
  std::vector<ArmSpec> arm_specs() const;  // "full" when nothing is compared
  std::vector<ArmOptions> arms(const Model& opened) const;
  ModelOptions model_options() const;

 private:
  void check_mode() const;  // whether what is read and the options fit together
  void check_files(std::span<const ArmSpec> specs) const;
};

// An arm's cache in the JSON of a run: "policy", "options", and "full_heads" unless that is null.
Json cache_json(const KvOptions& options, const Json& full_heads);

}  // namespace laconic::cli
