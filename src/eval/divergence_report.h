// SPDX-License-Identifier: Apache-2.0
// Divergences of an arm as numbers, as tables for people, and as JSON for programs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/json.h"
#include "eval/divergence.h"
#include "eval/statistics.h"

namespace laconic {

// The steps whose cache had been through equally many compressions.
struct DivergenceStage {
  std::size_t steps = 0;
  double mean = 0;       // nats
  double agreement = 0;  // share of the steps
};

struct DivergenceReport {
  std::string name;
  std::size_t answers = 0, steps = 0;
  Ratio mean;  // nats per step; the interval draws answers, whose steps hang together
  double percentile99 = 0, maximum = 0;  // nats
  double agreement = 0;                  // share of all steps
  std::vector<DivergenceStage> stages;   // [compressions so far]
};

// `seed` is the bootstrap's. PRECONDITION: every answer has a step, and there is an answer.
DivergenceReport report_divergence(const ArmDivergence& arm, std::uint64_t seed);

// Markdown. The second: mean by the number of compressions so far, from 5 on in columns that
// double.
std::string divergence_table(std::span<const DivergenceReport> reports);
std::string divergence_stage_table(std::span<const DivergenceReport> reports);

Json divergence_json(const DivergenceReport& report);

}  // namespace laconic
