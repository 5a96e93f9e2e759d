// SPDX-License-Identifier: Apache-2.0
// When to compress and how many rows stay; the ranking is the policy's business.
//
// RPC's growing law (arXiv 2505.13866, section 3.3 and the released code): with T = floor(P / c)
// the (j+1)-th compression happens after generated token R + (j+1) P and leaves prompt + min((j+1)
// T, cap) + R rows.
#pragma once

#include <cstddef>
#include <optional>

#include "laconic/kv_options.h"

namespace laconic {

// T = floor(interval / ratio): rows of each interval that stay. A quotient that rounding put a hair
// below a whole number (33 / 1.1) is that number. PRECONDITION: 1 <= ratio <= interval.
std::size_t rows_per_round(std::size_t interval, double ratio);

// Candidates that the compression after `rounds` earlier ones keeps. With an unprotected prompt the
// prompt's rows are among them, so that the size law is the same.
std::size_t kept_candidates(const KvOptions& options, std::size_t prompt, std::size_t rounds);

class RatioSchedule {
 public:
  // PRECONDITION: options.policy is not full and options are valid.
  explicit RatioSchedule(const KvOptions& options) : options_(options) {}

  // A new generation starts with `prompt_rows` rows in the cache: they count as prompt.
  void begin(std::size_t prompt_rows);

  // A generated token's row was appended. If a compression is due: the number of candidate rows
  // (unprotected ones) that stay; else nothing. Must be answered by compressed().
  std::optional<std::size_t> token_appended();
  void compressed() { ++rounds_; }

  std::size_t prompt_rows() const { return prompt_rows_; }
  std::size_t generated() const { return generated_; }
  std::size_t rounds() const { return rounds_; }

  // Whether the next generated token's query will be asked at the next trigger: true for those that
  // will then be among the `window` most recent ones (KvSelector::kLast: the most recent one).
  bool wants_query() const;

  // Laws of the size, for any policy: rows per KV head that are held after `generated` tokens, that
  // are held at most up to then, and that a step's attention saw on average. The step that triggers
  // a compression counts with the rows before it.
  static std::size_t rows_after(const KvOptions& o, std::size_t prompt, std::size_t generated);
  static std::size_t peak_rows(const KvOptions& o, std::size_t prompt, std::size_t generated);
  static double mean_rows(const KvOptions& o, std::size_t prompt, std::size_t generated);

 private:
  std::size_t next_trigger() const;  // the generated token that is followed by a compression
  KvOptions options_;
  std::size_t prompt_rows_ = 0, generated_ = 0, rounds_ = 0;
};

}  // namespace laconic
