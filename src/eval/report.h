// SPDX-License-Identifier: Apache-2.0
// What a compared arm comes to, as numbers, as a table for people, and as JSON for programs.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/json.h"
#include "eval/evaluate.h"
#include "eval/statistics.h"

namespace laconic {

struct Share {
  std::size_t correct = 0, problems = 0;
  double accuracy() const;  // 0 without problems
};

struct ArmReport {
  std::string name;
  Share share;
  Interval wilson;
  std::optional<Difference> difference;  // to the first arm; nothing for that one
  double mean_tokens = 0;
  double kv_peak_bytes = 0, kv_mean_bytes = 0;  // per sequence, mean over problems
  std::optional<double> tokens_per_second;      // nothing when no answer was decoded in this run
  std::size_t decoded = 0;                      // answers of this run; the others were resumed
  double seconds = 0;                           // wall time of their steps
  std::size_t loops = 0;                        // ended because they repeated themselves
  std::size_t truncated = 0;                    // ended at a limit of tokens or memory
  std::map<std::string, Share> families;        // empty when no problem names one
};

// One report per arm. `seed` is the bootstrap's.
// PRECONDITION: every arm has a sample of every problem, in the same order.
std::vector<ArmReport> report_arms(std::span<const EvaluatedArm> arms, std::uint64_t seed);

// Markdown, in columns that line up.
std::string report_table(std::span<const ArmReport> reports);
std::string family_table(std::span<const ArmReport> reports);

Json report_json(const ArmReport& report);

}  // namespace laconic
