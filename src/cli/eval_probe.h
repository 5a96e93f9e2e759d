// SPDX-License-Identifier: Apache-2.0
// `laconic eval --probe passcode`: its flags, and the study itself (eval/probe.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include "base/json.h"
#include "eval/arm_spec.h"
#include "eval/evaluate.h"
#include "eval/probe.h"

namespace CLI {
class App;
}

namespace laconic::cli {

class ProbeFlags {
 public:
  void declare(CLI::App& app);
  bool given() const { return !name_.empty(); }
  // Refuses an unknown study, flags without one, and arms of which none evicts while decoding.
  void check(std::span<const ArmSpec> arms) const;
  ProbeOptions options() const;
  const std::string& name() const { return name_; }

 private:
  std::string name_;
  std::optional<std::size_t> problems_, counts_, steps_;
  std::optional<std::uint64_t> seed_;
};

struct ProbeOutcome {
  std::string text;  // the tables, and what was not reached
  // "probe", "counts", "problems_per_count", "steps", "seed", "problems", "not_reached", "arms"
  Json json;
};

// `file` may be null. What `on_progress` throws ends the study; the file then holds all finished
// answers.
ProbeOutcome run_probe(const Model& model, const ProbeFlags& flags,
                       std::span<const ArmOptions> arms, SampleFile* file,
                       const std::function<void(const EvaluationProgress&)>& on_progress);

}  // namespace laconic::cli
