// SPDX-License-Identifier: Apache-2.0
#include "kernels/system.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "laconic/error.h"

namespace laconic {
namespace {

TEST(System, ChosenTargetIsTheBestAvailable) {
  const SimdTarget target = simd_target();
  ASSERT_FALSE(target.available.empty());
  EXPECT_EQ(target.name, target.available.front());
}

TEST(System, ForcedTargetIsChosenAndTheListStays) {
  const SimdTarget before = simd_target();
  for (const std::string& name : before.available) {
    force_simd_target(name);
    EXPECT_EQ(simd_target().name, name);
    EXPECT_EQ(simd_target().available, before.available);
  }
  force_simd_target(before.name);
}

TEST(System, UnknownTargetNamesWhatThereIs) {
  const SimdTarget target = simd_target();
  try {
    force_simd_target("MMX");
    FAIL() << "MMX was accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kUsage);
    EXPECT_THAT(error.what(), ::testing::HasSubstr("MMX"));
    for (const std::string& name : target.available) {
      EXPECT_THAT(error.what(), ::testing::HasSubstr(name));
    }
  }
  EXPECT_EQ(simd_target().name, target.name);
}

TEST(System, BandwidthIsPlausible) {
  Threads threads(2);
  const double rate = measure_read_bandwidth(threads, std::size_t{1} << 20, 3);
  EXPECT_GT(rate, 1e7);
  EXPECT_LT(rate, 1e13);
  EXPECT_GT(measure_read_bandwidth(threads, 0, 0), 0);
}

}  // namespace
}  // namespace laconic
