// SPDX-License-Identifier: Apache-2.0
// Tells when a generation repeats itself for ever.
//
// Two signs, looked for once per kStride tokens: the last kPeriodWindow tokens repeat with a period
// of at most kLongestPeriod; or fewer than a quarter of the kGram-grams in the last kRepeatWindow
// tokens are distinct. Distinct tokens, which the repetition stop of RLKV's evaluation counts
// (arXiv 2510.08525), would not do: long computations written digit by digit need few of them.
#pragma once

#include <cstdint>
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

}  // namespace laconic
