// SPDX-License-Identifier: Apache-2.0
// The learning rate over the tokens of a run, as a share of its peak.
//
// A linear rise over `warmup_tokens`, then either half a cosine down to `final` at the last token
// (Loshchilov and Hutter 2017), or the peak until `decay_tokens` before the end and a straight line
// down to `final` (Hu et al. 2024, MiniCPM, section 4: a run can be prolonged before its decay
// begins).
#pragma once

#include <cstdint>

namespace laconic::train {

enum class ScheduleKind { kCosine, kConstantDecay };

struct Schedule {
  ScheduleKind kind = ScheduleKind::kCosine;
  std::uint64_t warmup_tokens = 0;
  std::uint64_t decay_tokens = 0;  // kConstantDecay only
  double final = 0.1;              // share of the peak at the end, in [0, 1]
};

// The share for a step that begins after `seen` of `total` tokens: never 0 during the rise.
double schedule_share(const Schedule& schedule, std::uint64_t seen, std::uint64_t total);

}  // namespace laconic::train
