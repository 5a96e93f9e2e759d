// SPDX-License-Identifier: Apache-2.0
#include "train/schedule.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace laconic::train {
namespace {

constexpr Schedule kCosine{ScheduleKind::kCosine, 100, 0, 0.1};
constexpr Schedule kDecay{ScheduleKind::kConstantDecay, 100, 400, 0.2};

TEST(Schedule, RisesInAStraightLineAndNeverFromZero) {
  EXPECT_GT(schedule_share(kCosine, 0, 1000), 0.0);
  EXPECT_DOUBLE_EQ(schedule_share(kCosine, 25, 1000), 0.25);
  EXPECT_DOUBLE_EQ(schedule_share(kCosine, 100, 1000), 1.0);
}

TEST(Schedule, CosineFallsToItsFinalShare) {
  EXPECT_NEAR(schedule_share(kCosine, 550, 1000), 0.55, 1e-12);
  EXPECT_NEAR(schedule_share(kCosine, 1000, 1000), 0.1, 1e-12);
  EXPECT_NEAR(schedule_share(kCosine, 5000, 1000), 0.1, 1e-12);
}

TEST(Schedule, ConstantDecayStaysAtThePeakUntilItsDecayBegins) {
  EXPECT_DOUBLE_EQ(schedule_share(kDecay, 600, 1000), 1.0);
  EXPECT_NEAR(schedule_share(kDecay, 800, 1000), 0.6, 1e-12);
  EXPECT_NEAR(schedule_share(kDecay, 1000, 1000), 0.2, 1e-12);
}

TEST(Schedule, WithoutRiseAndDecayItIsConstant) {
  const Schedule flat{ScheduleKind::kConstantDecay, 0, 0, 0.2};
  EXPECT_DOUBLE_EQ(schedule_share(flat, 0, 1000), 1.0);
  EXPECT_DOUBLE_EQ(schedule_share(flat, 1000, 1000), 1.0);
}

RC_GTEST_PROP(ScheduleProperty, StaysAboveZeroAndFallsAfterTheRise, ()) {
  Schedule schedule;
  schedule.kind = *rc::gen::element(ScheduleKind::kCosine, ScheduleKind::kConstantDecay);
  const auto total = *rc::gen::inRange<std::uint64_t>(1, 1000000);
  schedule.warmup_tokens = *rc::gen::inRange<std::uint64_t>(0, total + 1);
  schedule.decay_tokens = *rc::gen::inRange<std::uint64_t>(0, total + 1);
  schedule.final = *rc::gen::inRange(1, 101) / 100.0;
  const auto seen = *rc::gen::inRange<std::uint64_t>(0, total);
  const double share = schedule_share(schedule, seen, total);
  RC_ASSERT(share > 0.0 && share <= 1.0);
  if (seen >= schedule.warmup_tokens) {
    RC_ASSERT(schedule_share(schedule, seen + 1, total) <= share + 1e-12);
  }
}

}  // namespace
}  // namespace laconic::train
