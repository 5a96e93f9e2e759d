// SPDX-License-Identifier: Apache-2.0
// When to compress and how many rows stay; the ranking is the policy's business. Two laws:
//
// By ratio, RPC's growing law (arXiv 2505.13866, section 3.3 and the released code): with T =
// floor(P / c) the (j+1)-th compression happens after generated token R + (j+1) P and leaves prompt
// + min((j+1) T, cap) + R rows.
//
// By budget B: after every P generated tokens, when a KV head holds more than B rows, B stay. A
// prompt that is not protected is compressed to B as soon as it is read.
#pragma once

#include <cstddef>
#include <optional>

#include "laconic/kv_options.h"

namespace laconic {

// T = floor(interval / ratio): rows of each interval that stay. A quotient that rounding put a hair
// below a whole number (33 / 1.1) is that number. PRECONDITION: 1 <= ratio <= interval.
std::size_t rows_per_round(std::size_t interval, double ratio);

// By ratio: candidates that stay after `rounds` compressions, min(rounds T, cap).
std::size_t candidates_after(const KvOptions& options, std::size_t rounds);

// Rows of a KV head that the compression after `rounds` earlier ones leaves, of those `held`.
std::size_t rows_that_stay(const KvOptions& options, std::size_t prompt, std::size_t rounds,
                           std::size_t held);

// The first rows that no compression may take: the protected prompt, the sinks.
std::size_t protected_rows(const KvOptions& options, std::size_t prompt);

// The newest rows that no compression may take: the window, and those that h2o keeps by force.
std::size_t newest_rows(const KvOptions& options);

// Error(kUsage), with the numbers, when the first compression after a prompt of so many rows cannot
// leave all that no compression may take. Later ones never leave fewer rows.
void require_budget(const KvOptions& options, std::size_t prompt);

// The schedule of a generation whose prompt rows were all there before it: they stay until its
// first trigger, as if they were protected up to there.
KvOptions resumed(KvOptions options);

class Schedule {
 public:
  // PRECONDITION: options.policy is not full and options are valid.
  explicit Schedule(const KvOptions& options) : options_(options) {}

  // A new generation starts with `prompt_rows` rows in the cache: they count as prompt. If they are
  // compressed at once: how many stay. Answered by compressed().
  std::optional<std::size_t> begin(std::size_t prompt_rows);

  // A generated token's row was appended; a KV head now holds `held`. If a compression is due: how
  // many rows stay; else nothing. Must be answered by compressed().
  std::optional<std::size_t> token_appended(std::size_t held);
  void compressed() { ++rounds_; }

  std::size_t prompt_rows() const { return prompt_rows_; }
  std::size_t generated() const { return generated_; }
  std::size_t rounds() const { return rounds_; }

  // Whether the next generated token's query will be asked at the next trigger: true for those that
  // will then be among the `asked` most recent ones.
  bool wants_query(std::size_t asked) const;

  // Laws of the size, for any policy, `full` included: rows per KV head that are held after
  // `generated` tokens, that are held at most up to then (the prompt included, which is read
  // whole), and that a step's attention saw on average. The step that triggers a compression counts
  // with the rows before it.
  static std::size_t rows_after(const KvOptions& o, std::size_t prompt, std::size_t generated);
  static std::size_t peak_rows(const KvOptions& o, std::size_t prompt, std::size_t generated);
  static double mean_rows(const KvOptions& o, std::size_t prompt, std::size_t generated);

 private:
  std::optional<std::size_t> next_trigger() const;  // the generated token after which it comes
  KvOptions options_;
  std::size_t prompt_rows_ = 0, generated_ = 0, rounds_ = 0;
};

}  // namespace laconic
