// SPDX-License-Identifier: Apache-2.0
#include "engine/loop_detector.h"

#include <algorithm>
#include <unordered_set>

namespace laconic {
namespace {

bool has_period(std::span<const std::int32_t> ids, std::size_t period) {
  return std::equal(ids.begin() + static_cast<std::ptrdiff_t>(period), ids.end(), ids.begin());
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
  if (ids.size() >= kDiversityWindow) {
    const auto recent = ids.last(kDiversityWindow);
    const std::unordered_set<std::int32_t> distinct(recent.begin(), recent.end());
    return distinct.size() * 10 < kDiversityWindow;
  }
  return false;
}

}  // namespace laconic
