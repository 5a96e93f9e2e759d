// SPDX-License-Identifier: Apache-2.0
#include "train/filling.h"

#include <gtest/gtest.h>

#include "train/decoder_testing.h"

namespace laconic::train::test {
namespace {

TEST(Filling, AddsOneTextThatTeachesNothing) {
  const PackedBatch batch = random_batch({7, 12}, 50, 1);
  const PackedBatch filled = filled_batch(batch, 16);
  EXPECT_EQ(filled.starts, (std::vector<std::int64_t>{0, 7, 19, 32}));
  EXPECT_TRUE(at::equal(filled.ids.narrow(0, 0, 19), batch.ids));
  EXPECT_TRUE(at::equal(filled.targets.narrow(0, 0, 19), batch.targets));
  EXPECT_TRUE(at::equal(filled.positions.narrow(0, 0, 19), batch.positions));
  EXPECT_TRUE(at::equal(filled.targets.narrow(0, 19, 13), at::full({13}, -1, at::kLong)));
  EXPECT_TRUE(at::equal(filled.positions.narrow(0, 19, 13), at::arange(13, at::kLong)));
}

TEST(Filling, LeavesARoundNumberAlone) {
  const PackedBatch batch = random_batch({7, 9}, 50, 1);
  EXPECT_EQ(filled_batch(batch, 16).starts, batch.starts);
  EXPECT_EQ(filled_batch(batch, 1).starts, batch.starts);
  EXPECT_EQ(filled_rows(at::zeros({0}, at::kLong), 16, 5).numel(), 0);
}

}  // namespace
}  // namespace laconic::train::test
