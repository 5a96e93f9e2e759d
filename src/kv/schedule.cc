// SPDX-License-Identifier: Apache-2.0
#include "kv/schedule.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace laconic {
namespace {

// Candidates of the generated text that stay after `rounds` compressions: min(rounds T, cap).
std::size_t kept_after(const KvOptions& o, std::size_t rounds) {
  const std::size_t rows = rounds * rows_per_round(o.interval, o.ratio);
  return o.cap == 0 ? rows : std::min(rows, o.cap);
}

std::size_t rounds_after(const KvOptions& o, std::size_t generated) {
  if (o.policy == KvPolicy::kFull || generated < o.window + o.interval) return 0;
  return (generated - o.window) / o.interval;
}

// Sum of kept_after over the rounds 0..last.
double sum_of_kept(const KvOptions& o, std::size_t last) {
  const auto per_round = static_cast<double>(rows_per_round(o.interval, o.ratio));
  const double rounds = static_cast<double>(last);
  if (o.cap == 0) return per_round * rounds * (rounds + 1) / 2;
  const double growing = std::min(rounds, std::floor(static_cast<double>(o.cap) / per_round));
  return per_round * growing * (growing + 1) / 2 + static_cast<double>(o.cap) * (rounds - growing);
}

}  // namespace

std::size_t rows_per_round(std::size_t interval, double ratio) {
  // The ratio's own rounding and that of the division stay below two units in the last place.
  constexpr double kNoise = 4 * std::numeric_limits<double>::epsilon();
  const double quotient = static_cast<double>(interval) / ratio;
  const double nearest = std::round(quotient);
  const bool whole = std::abs(quotient - nearest) <= kNoise * nearest;
  return static_cast<std::size_t>(whole ? nearest : std::floor(quotient));
}

std::size_t kept_candidates(const KvOptions& o, std::size_t prompt, std::size_t rounds) {
  return kept_after(o, rounds + 1) + (o.protect_prompt ? 0 : prompt);
}

void RatioSchedule::begin(std::size_t prompt_rows) {
  prompt_rows_ = prompt_rows;
  generated_ = 0;
  rounds_ = 0;
}

std::size_t RatioSchedule::next_trigger() const {
  return options_.window + (rounds_ + 1) * options_.interval;
}

std::optional<std::size_t> RatioSchedule::token_appended() {
  ++generated_;
  if (generated_ != next_trigger()) return std::nullopt;
  return kept_candidates(options_, prompt_rows_, rounds_);
}

bool RatioSchedule::wants_query() const {
  const std::size_t asked = options_.selector == KvSelector::kLast ? 1 : options_.window;
  return generated_ + 1 + asked > next_trigger();
}

std::size_t RatioSchedule::rows_after(const KvOptions& o, std::size_t prompt,
                                      std::size_t generated) {
  const std::size_t rounds = rounds_after(o, generated);
  if (rounds == 0) return prompt + generated;
  return prompt + kept_after(o, rounds) + generated - rounds * o.interval;
}

std::size_t RatioSchedule::peak_rows(const KvOptions& o, std::size_t prompt,
                                     std::size_t generated) {
  const std::size_t now = rows_after(o, prompt, generated);
  const std::size_t rounds = rounds_after(o, generated);
  if (rounds == 0) return now;
  // Compressions leave ever more rows, so the latest one began at the highest point.
  return std::max(now, prompt + kept_after(o, rounds - 1) + o.window + o.interval);
}

double RatioSchedule::mean_rows(const KvOptions& o, std::size_t prompt, std::size_t generated) {
  if (generated == 0) return static_cast<double>(prompt);
  const auto tokens = static_cast<double>(generated);
  const double without_eviction = static_cast<double>(prompt) + (tokens + 1) / 2;
  // Rounds that the last step's attention has behind it.
  const std::size_t rounds = rounds_after(o, generated - 1);
  if (rounds == 0) return without_eviction;
  // After round j a step holds j P - kept(j) rows fewer: for P steps, or for those of the last
  // round that were taken.
  const auto interval = static_cast<double>(o.interval);
  const double last = static_cast<double>(rounds);
  const double complete = last - 1;
  const double evicted_before =
      interval * (interval * complete * (complete + 1) / 2 - sum_of_kept(o, rounds - 1));
  const double steps_since = tokens - static_cast<double>(o.window) - last * interval;
  const double evicted_now = last * interval - static_cast<double>(kept_after(o, rounds));
  return without_eviction - (evicted_before + steps_since * evicted_now) / tokens;
}

}  // namespace laconic
