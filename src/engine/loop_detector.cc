// SPDX-License-Identifier: Apache-2.0
#include "engine/loop_detector.h"

#include <algorithm>
#include <unordered_set>

#include "base/mix.h"

namespace laconic {
namespace {

bool has_period(std::span<const std::int32_t> ids, std::size_t period) {
  return std::equal(ids.begin() + static_cast<std::ptrdiff_t>(period), ids.end(), ids.begin());
}

// Counted by a hash of each: a collision is too rare to matter in a count.
std::size_t distinct_grams(std::span<const std::int32_t> ids, std::size_t gram) {
  std::unordered_set<std::uint64_t> seen;
  for (std::size_t i = 0; i + gram <= ids.size(); ++i) {
    std::uint64_t key = 0;
    for (const std::int32_t id : ids.subspan(i, gram)) {
      key = mix_bits(key ^ (static_cast<std::uint64_t>(id) + kMixStep));
    }
    seen.insert(key);
  }
  return seen.size();
}

}  // namespace

bool LoopDetector::looping(std::span<const std::int32_t> ids) {
  if (ids.empty() || ids.size() % kStride != 0) return false;
  if (ids.size() >= kPeriodWindow) {
    const auto recent = ids.last(kPeriodWindow);
    for (std::size_t period = 1; period <= kLongestPeriod; ++period) {
      if (has_period(recent, period)) return true;
    }
  }
  return ids.size() >= kRepeatWindow &&
         distinct_grams(ids.last(kRepeatWindow), kGram) < kLeastDistinct;
}

std::size_t repeated_grams(std::span<const std::int32_t> ids, std::size_t gram) {
  return ids.size() < gram ? 0 : ids.size() - gram + 1 - distinct_grams(ids, gram);
}

std::optional<std::size_t> few_distinct_stop(std::span<const std::int32_t> ids) {
  for (std::size_t end = kFewDistinctStride; end <= ids.size(); end += kFewDistinctStride) {
    const auto recent = ids.subspan(end - kFewDistinctStride, kFewDistinctStride);
    if (std::unordered_set<std::int32_t>(recent.begin(), recent.end()).size() < kFewDistinctLeast) {
      return end;
    }
  }
  return std::nullopt;
}

}  // namespace laconic
