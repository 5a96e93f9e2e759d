// SPDX-License-Identifier: Apache-2.0
#include "train/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace laconic::train {
namespace {

// 0 at the rise's first token would waste a step and leave Adam's moments without an update.
constexpr double kLeastRise = 0.01;

}  // namespace

double schedule_share(const Schedule& schedule, std::uint64_t seen, std::uint64_t total) {
  const auto now = static_cast<double>(std::min(seen, total));
  const auto end = static_cast<double>(total);
  const auto warmup = static_cast<double>(schedule.warmup_tokens);
  const double rise = warmup > 0 ? std::clamp(now / warmup, kLeastRise, 1.0) : 1.0;
  if (now < warmup) return rise;
  if (schedule.kind == ScheduleKind::kCosine) {
    const double done = end > warmup ? (now - warmup) / (end - warmup) : 1.0;
    const double wave = 0.5 * (1.0 + std::cos(std::numbers::pi * done));
    return schedule.final + (1.0 - schedule.final) * wave;
  }
  const auto decay = static_cast<double>(schedule.decay_tokens);
  const double left = decay > 0 ? std::clamp((end - now) / decay, 0.0, 1.0) : 1.0;
  return schedule.final + (1.0 - schedule.final) * left;
}

}  // namespace laconic::train
