// SPDX-License-Identifier: Apache-2.0
// Arms of equal memory: for each policy the ratio or budget at which its generated rows are a given
// fraction of the full cache's.
//
// Counted are rows of a KV head beyond the prompt's, over all problems together: at each answer's
// peak, or as each answer's steps saw them on average. What an arm will hold is predicted by the
// law of its schedule (kv/schedule.h) at the lengths that the full cache's answers had; what it
// held is known from its own answers, which can be longer or shorter. Both are said. Refused is a
// fraction that no ratio or budget comes to, with what the least or the most would be.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "eval/arm_spec.h"
#include "eval/evaluate.h"
#include "laconic/kv_options.h"
#include "laconic/model.h"

namespace laconic {

enum class MatchWhat { kPeak, kMean };

struct MatchRequest {
  MatchWhat what = MatchWhat::kPeak;
  std::vector<double> fractions;  // in (0, 1], each once
};

// `what`: "peak" or "mean"; `at`: "0.5,0.25". Error(kUsage) says what is allowed.
MatchRequest parse_match(std::string_view what, std::string_view at);

// Rows of one answer: its last token is never read and has none.
struct AnswerRows {
  std::size_t prompt = 0, generated = 0;
};
std::vector<AnswerRows> answer_rows(std::span<const Sample> samples);

// Generated rows under these options over those of the full cache, by the laws. Below 0 where a
// budget takes more from the prompts than it leaves of the answers.
// PRECONDITION: some answer has a generated row.
double predicted_fraction(std::span<const AnswerRows> answers, const KvOptions& options,
                          MatchWhat what);

struct MatchedOptions {
  KvOptions kv;
  double predicted = 0;
};

// The options with the ratio, or where they go by budget with the budget, whose fraction comes
// closest to `fraction`. Error(kUsage) when it is out of reach: further from the closest one than
// half of what the next one would change.
MatchedOptions match_ratio(std::span<const AnswerRows> answers, const KvOptions& options,
                           MatchWhat what, double fraction);

// Whether every row of every head stays: what the others are measured against.
bool is_full_cache(const KvOptions& options);

struct MatchedArm {
  ArmOptions arm;  // its name says the ratio or budget that was chosen
  double asked = 0, predicted = 0;
};

// Refuses what needs no answer to be seen: Error(kUsage) names an arm that gives a ratio itself or
// whose heads differ, and two arms that differ in nothing but the budget; and when no arm evicts.
void check_match(std::span<const ArmSpec> arms);

// One arm per arm that evicts and fraction; arms of the full cache are left out. Error(kUsage)
// also names an arm that cannot come to a fraction, and two fractions that come to the same cache.
std::vector<MatchedArm> match_arms(std::span<const ArmOptions> arms, std::span<const Sample> full,
                                   const MatchRequest& request);

// What an arm's own answers held.
struct ObtainedFractions {
  double peak = 0, mean = 0;
};
// `full_type`: element type of the full arm's rows. Where heads differ, a row is a mean over heads.
ObtainedFractions obtained_fractions(const ModelInfo& model, KvType type,
                                     std::span<const Sample> samples, KvType full_type,
                                     std::span<const Sample> full);

struct MatchResult {
  std::string name;
  double asked = 0, predicted = 0;
  ObtainedFractions obtained;
};
std::string match_table(std::span<const MatchResult> results, MatchWhat what);
Json match_json(std::span<const MatchResult> results, MatchWhat what);

}  // namespace laconic
