// SPDX-License-Identifier: Apache-2.0
// The passcode study as numbers: accuracy by the compressions that a code goes through.
//
// A row holds the problems that were drawn for that many, whatever an answer made of them: the same
// problems for every arm. An answer that wanders would else leave its row, and the rows of an arm
// that errs would look the better for it. How many compressions the answers went through in fact is
// said beside it.
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

// Answers to the problems that were drawn for one number of compressions.
struct ProbeRow {
  Share share;
  std::size_t asked = 0;  // answers that came to the question: of the others nothing can be counted
  std::size_t found = 0;  // sum of the compressions that they had, by the arm's own schedule
  // Answers with another number than the written solution has by that schedule.
  std::size_t moved = 0;

  double mean_found() const;  // PRECONDITION: asked > 0
};

struct ProbeArm {
  std::string name;
  std::map<CodeOrigin, std::map<std::size_t, ProbeRow>> rows;  // by ProbeItem::count
  std::size_t unasked() const;  // answers that never came to the question
};

// PRECONDITION: `evaluated` [arm] holds a sample of every problem of the plan, in its order.
std::vector<ProbeArm> report_probe(const Model& model, const ProbePlan& plan,
                                   std::span<const ArmOptions> arms,
                                   std::span<const EvaluatedArm> evaluated);

// Markdown: one row per number of compressions that problems were drawn for, one column per arm:
// accuracy, and in the second table the mean number in the answers and how many of them moved.
std::string probe_table(std::span<const ProbeArm> arms, CodeOrigin origin);
std::string probe_found_table(std::span<const ProbeArm> arms, CodeOrigin origin);

// A line per origin and reason for which counts have fewer problems than asked for; empty: none.
std::string probe_gaps_text(std::span<const ProbeGap> gaps);

// {"name", "unasked", "stated": [{"compressions", "problems", "correct", "accuracy", "wilson",
// "asked", "mean_found", "moved"}], "worked_out": [...]}
Json probe_json(const ProbeArm& arm);
// [{"origin", "compressions", "drawn", "reason"}]
Json probe_gaps_json(std::span<const ProbeGap> gaps);

}  // namespace laconic
