// SPDX-License-Identifier: Apache-2.0
// What a compared arm comes to, as numbers, as a table for people, and as JSON for programs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/json.h"
#include "eval/evaluate.h"
#include "eval/statistics.h"
#include "laconic/kv_options.h"
#include "laconic/model.h"

namespace laconic {

struct Share {
  std::size_t correct = 0, problems = 0;
  double accuracy() const;  // 0 without problems
};

// Tokens of an arm over those of the first arm on the same problems.
struct Inflation {
  std::size_t problems = 0;
  Ratio tokens;
};

// Rows per KV head, the prompt's included; where heads differ, the mean over all KV heads.
struct CacheRows {
  double peak = 0, mean = 0;  // per sequence, mean over problems
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

  // Measures beside accuracy (engine/loop_detector.h). An answer that was ended as a loop is
  // counted as far as it came.
  std::size_t repeating = 0;     // answers in which some run of 64 tokens stands twice
  double repeated_share = 0;     // of an answer's runs of 64, those that stood before: mean
  std::size_t few_distinct = 0;  // answers that RLKV's repetition stop would have ended
  // Over problems that the first arm and this one solved, and over those that the first arm solved.
  // Nothing for the first arm, and where there is no such problem.
  std::optional<Inflation> inflation_both, inflation_first;
  std::optional<CacheRows> rows;  // nothing when the bytes of a row were not given
};

// One row in every KV head of the model, keys and values: what CacheRows are counted in.
std::size_t bytes_of_rows(const ModelInfo& model, KvType type);

// One report per arm. `seed` is the bootstrap's; `bytes_of_row` [arm] what bytes_of_rows() says, or
// empty. PRECONDITION: every arm has a sample of every problem, in the same order.
std::vector<ArmReport> report_arms(std::span<const EvaluatedArm> arms, std::uint64_t seed,
                                   std::span<const std::size_t> bytes_of_row = {});

// Markdown, in columns that line up: the first row is the head; the first column is text, the
// others are numbers.
using TableRows = std::vector<std::vector<std::string>>;
std::string markdown_table(const TableRows& rows);

std::string report_table(std::span<const ArmReport> reports);
std::string family_table(std::span<const ArmReport> reports);
std::string measures_table(std::span<const ArmReport> reports);

Json report_json(const ArmReport& report);

}  // namespace laconic
