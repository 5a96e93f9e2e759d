// SPDX-License-Identifier: Apache-2.0
#include "kv/schedule.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"

namespace laconic {
namespace {

constexpr std::size_t kNever = std::numeric_limits<std::size_t>::max();

// Sum of candidates_after over the rounds 1..last.
double sum_of_kept(const KvOptions& o, std::size_t last) {
  const auto per_round = static_cast<double>(rows_per_round(o.interval, o.ratio));
  const double rounds = static_cast<double>(last);
  if (o.cap == 0) return per_round * rounds * (rounds + 1) / 2;
  const double growing = std::min(rounds, std::floor(static_cast<double>(o.cap) / per_round));
  return per_round * growing * (growing + 1) / 2 + static_cast<double>(o.cap) * (rounds - growing);
}

bool evicts_while_decoding(const KvOptions& o) {
  return o.evicts() && !(o.policy == KvPolicy::kSnapKv && o.phase == KvPhase::kPrompt);
}

// Rows when the first token is generated: a budget may have taken some of the prompt.
std::size_t rows_at_start(const KvOptions& o, std::size_t prompt) {
  const bool compressed = o.evicts() && o.by_budget() && !o.protect_prompt;
  return compressed ? std::min(prompt, o.budget) : prompt;
}

// Both laws compress after the generated tokens first, first + P, first + 2 P, ...: by budget, from
// the first multiple of P at which the rows exceed it, since P more rows always do.
std::size_t first_trigger(const KvOptions& o, std::size_t prompt) {
  if (!evicts_while_decoding(o)) return kNever;
  if (!o.by_budget()) return o.window + o.interval;
  const std::size_t start = rows_at_start(o, prompt);
  return start > o.budget ? o.interval : ((o.budget - start) / o.interval + 1) * o.interval;
}

// Compressions while decoding, the one after token `generated` included.
std::size_t rounds_after(const KvOptions& o, std::size_t prompt, std::size_t generated) {
  const std::size_t first = first_trigger(o, prompt);
  return generated < first ? 0 : (generated - first) / o.interval + 1;
}

// Rows that the `rounds`-th compression while decoding leaves; rounds >= 1.
std::size_t rows_left(const KvOptions& o, std::size_t prompt, std::size_t rounds) {
  return o.by_budget() ? o.budget : prompt + candidates_after(o, rounds) + o.window;
}

// Sum of rows_left over the rounds 1..last.
double sum_of_left(const KvOptions& o, std::size_t prompt, std::size_t last) {
  const double rounds = static_cast<double>(last);
  if (o.by_budget()) return rounds * static_cast<double>(o.budget);
  return rounds * static_cast<double>(prompt + o.window) + sum_of_kept(o, last);
}

// What `steps` steps see together, of which each appends a row and the first finds `rows`.
double seen_in(double rows, std::size_t steps) {
  const double count = static_cast<double>(steps);
  return count * rows + count * (count + 1) / 2;
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

std::size_t candidates_after(const KvOptions& o, std::size_t rounds) {
  const std::size_t rows = rounds * rows_per_round(o.interval, o.ratio);
  return o.cap == 0 ? rows : std::min(rows, o.cap);
}

std::size_t rows_that_stay(const KvOptions& o, std::size_t prompt, std::size_t rounds,
                           std::size_t held) {
  return std::min(held, rows_left(o, prompt, rounds + 1));
}

std::size_t protected_rows(const KvOptions& o, std::size_t prompt) {
  return std::max(o.protect_prompt ? prompt : 0, o.sink);
}

std::size_t newest_rows(const KvOptions& o) {
  return o.policy == KvPolicy::kH2o ? std::max(o.recent, o.window) : o.window;
}

void require_budget(const KvOptions& o, std::size_t prompt) {
  if (!o.evicts()) return;
  const std::size_t left = rows_left(o, prompt, 1);
  const std::size_t first = protected_rows(o, prompt), newest = newest_rows(o);
  if (first + newest <= left) return;
  if (o.by_budget()) {
    throw_usage(
        "--kv-budget {} cannot hold the prompt's {} rows{}, which always stay: it must be at least "
        "{}, or the prompt must compete with the rest (--no-kv-protect-prompt)",
        o.budget, prompt, newest > 0 ? fmt::format(" and the {} newest ones", newest) : "",
        first + newest);
  }
  const bool sinks = first + o.window > left;  // else the rows of h2o's recent
  throw_usage(
      "--kv-{} {} does not fit: after a prompt of {} rows the first compression leaves {} rows, "
      "the "
      "{} {} ones among them; it must be at most {}",
      sinks ? "sink" : "recent", sinks ? o.sink : o.recent, prompt, left, sinks ? o.window : first,
      sinks ? "newest" : "first", left - (sinks ? o.window : first));
}

KvOptions resumed(KvOptions options) {
  options.protect_prompt = true;  // for the schedule: which rows go is not its business
  return options;
}

std::optional<std::size_t> Schedule::begin(std::size_t prompt_rows) {
  prompt_rows_ = prompt_rows;
  generated_ = 0;
  rounds_ = 0;
  const std::size_t start = rows_at_start(options_, prompt_rows);
  if (start == prompt_rows) return std::nullopt;
  return start;
}

std::optional<std::size_t> Schedule::next_trigger() const {
  const std::size_t first = first_trigger(options_, prompt_rows_);
  if (first == kNever) return std::nullopt;
  return first + rounds_after(options_, prompt_rows_, generated_) * options_.interval;
}

std::optional<std::size_t> Schedule::token_appended(std::size_t held) {
  const std::optional<std::size_t> due = next_trigger();
  ++generated_;
  if (due != generated_) return std::nullopt;
  return rows_that_stay(options_, prompt_rows_, rounds_, held);
}

bool Schedule::wants_query(std::size_t asked) const {
  const std::optional<std::size_t> due = next_trigger();
  return due && generated_ + 1 + asked > *due;
}

std::size_t Schedule::rows_after(const KvOptions& o, std::size_t prompt, std::size_t generated) {
  const std::size_t rounds = rounds_after(o, prompt, generated);
  if (rounds == 0) return rows_at_start(o, prompt) + generated;
  const std::size_t latest = first_trigger(o, prompt) + (rounds - 1) * o.interval;
  return rows_left(o, prompt, rounds) + generated - latest;
}

std::size_t Schedule::peak_rows(const KvOptions& o, std::size_t prompt, std::size_t generated) {
  std::size_t peak = std::max(prompt, rows_after(o, prompt, generated));
  const std::size_t rounds = rounds_after(o, prompt, generated);
  if (rounds >= 1) {
    peak = std::max(peak, rows_at_start(o, prompt) + first_trigger(o, prompt));
  }
  // Compressions never leave fewer rows than the one before, so the latest began at the highest
  // point.
  if (rounds >= 2) peak = std::max(peak, rows_left(o, prompt, rounds - 1) + o.interval);
  return peak;
}

double Schedule::mean_rows(const KvOptions& o, std::size_t prompt, std::size_t generated) {
  const auto start = static_cast<double>(rows_at_start(o, prompt));
  if (generated == 0) return start;
  const std::size_t before = std::min(generated, first_trigger(o, prompt));
  double sum = seen_in(start, before);
  if (const std::size_t since = generated - before; since > 0) {
    const std::size_t complete = since / o.interval;  // rounds whose P steps were all taken
    sum += static_cast<double>(o.interval) * sum_of_left(o, prompt, complete) +
           static_cast<double>(complete) * seen_in(0, o.interval) +
           seen_in(static_cast<double>(rows_left(o, prompt, complete + 1)), since % o.interval);
  }
  return sum / static_cast<double>(generated);
}

}  // namespace laconic
