// SPDX-License-Identifier: Apache-2.0
// The passcode study as numbers: accuracy by the compressions that a code has been through.
#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/json.h"
#include "eval/evaluate.h"
#include "eval/probe.h"
#include "eval/report.h"

namespace laconic {

struct ProbeArm {
  std::string name;
  // By compressions between code and question, in this arm's answers.
  std::map<CodeOrigin, std::map<std::size_t, Share>> shares;
  std::size_t unasked = 0;  // answers that never came to the question: counted as planned
};

// PRECONDITION: `evaluated` [arm] holds a sample of every problem of the plan, in its order.
std::vector<ProbeArm> report_probe(const Model& model, const ProbePlan& plan,
                                   std::span<const ArmOptions> arms,
                                   std::span<const EvaluatedArm> evaluated);

// Markdown: one row per number of compressions, one column per arm. What lies above `counts` is one
// row.
std::string probe_table(std::span<const ProbeArm> arms, CodeOrigin origin, std::size_t counts);

// A line per origin and reason for which counts have fewer problems than asked for; empty: none.
std::string probe_gaps_text(std::span<const ProbeGap> gaps);

// {"name", "unasked", "stated": [{"compressions", "problems", "correct", "accuracy", "wilson"}],
// "worked_out": [...]}
Json probe_json(const ProbeArm& arm);
// [{"origin", "compressions", "drawn", "reason"}]
Json probe_gaps_json(std::span<const ProbeGap> gaps);

}  // namespace laconic
