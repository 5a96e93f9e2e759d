// SPDX-License-Identifier: Apache-2.0
#include "base/checked.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace laconic {
namespace {

constexpr std::size_t kMost = ~std::size_t{0};

TEST(Checked, ExactUpToTheLimit) {
  EXPECT_EQ(checked_mul(kMost, 1, "it"), kMost);
  EXPECT_EQ(checked_mul(0, kMost, "it"), 0u);
  EXPECT_EQ(checked_mul(std::size_t{1} << 32, (std::size_t{1} << 32) - 1, "it"), kMost << 32);
  EXPECT_EQ(checked_add(kMost, 0, "it"), kMost);
  EXPECT_EQ(checked_add(kMost - 1, 1, "it"), kMost);
}

TEST(Checked, OverflowIsTheFilesFaultAndNamed) {
  try {
    checked_mul(std::size_t{1} << 32, std::size_t{1} << 32, "the size of tensor x");
    FAIL();
  } catch (const Error& failure) {
    EXPECT_EQ(failure.kind(), ErrorKind::kInput);
    EXPECT_THAT(failure.what(), ::testing::HasSubstr("the size of tensor x"));
    EXPECT_THAT(failure.what(), ::testing::HasSubstr("4294967296"));
  }
  EXPECT_THROW(checked_add(kMost, 1, "it"), Error);
}

RC_GTEST_PROP(Checked, AgreesWithWiderArithmetic, (std::uint64_t a, std::uint64_t b)) {
  const auto shift = *rc::gen::inRange(0, 64);  // so that both outcomes are common
  const std::uint64_t small = b >> shift;
  __extension__ using Wide = unsigned __int128;
  const bool product_fits = static_cast<Wide>(a) * small <= kMost;
  const bool sum_fits = static_cast<Wide>(a) + small <= kMost;
  if (product_fits) {
    RC_ASSERT(checked_mul(a, small, "it") == a * small);
  } else {
    RC_ASSERT_THROWS_AS(checked_mul(a, small, "it"), Error);
  }
  if (sum_fits) {
    RC_ASSERT(checked_add(a, small, "it") == a + small);
  } else {
    RC_ASSERT_THROWS_AS(checked_add(a, small, "it"), Error);
  }
}

}  // namespace
}  // namespace laconic
