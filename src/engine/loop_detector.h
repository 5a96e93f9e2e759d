// SPDX-License-Identifier: Apache-2.0
// Tells when a generation repeats itself for ever.
//
// Two signs, looked for once per kStride tokens: the last kPeriodWindow tokens repeat with a period
// of at most kLongestPeriod; or fewer than a quarter of the kGram-grams in the last kRepeatWindow
// tokens are distinct. Distinct tokens, which the repetition stop of RLKV's evaluation counts
// (arXiv 2510.08525), would not do: long computations written digit by digit need few of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace laconic {

class LoopDetector {
 public:
  static constexpr std::size_t kStride = 64;
  static constexpr std::size_t kPeriodWindow = 256;
  static constexpr std::size_t kLongestPeriod = 64;
  static constexpr std::size_t kRepeatWindow = 1024;
  static constexpr std::size_t kGram = 8;
  static constexpr std::size_t kLeastDistinct = kRepeatWindow / 4;

  // `ids` is the whole answer so far, one token longer than at the last call.
  static bool looping(std::span<const std::int32_t> ids);
};

// Measures over a finished answer, as others count them; nothing is ended by these.

inline constexpr std::size_t kLongGram = 64;

// How many of the answer's runs of `gram` tokens stood in it before. PRECONDITION: gram > 0.
std::size_t repeated_grams(std::span<const std::int32_t> ids, std::size_t gram = kLongGram);

inline constexpr std::size_t kFewDistinctStride = 400;
inline constexpr std::size_t kFewDistinctLeast = 40;

// RLKV's repetition stop: after every 400 tokens, whether the last 400 hold fewer than 40 different
// ones. The tokens after which it would first have ended the answer; nothing when never.
std::optional<std::size_t> few_distinct_stop(std::span<const std::int32_t> ids);

}  // namespace laconic
