// SPDX-License-Identifier: Apache-2.0
#include "kernels/weight_view.h"

#include <gtest/gtest.h>

#include "kernel_testing.h"

namespace laconic {
namespace {

using test::kAllTypes;
using test::same_bits;
using test::StoredMatrix;

// Wherever it lies: mapped files promise nothing about where a tensor begins.
TEST(DequantizeRow, PicksTheRow) {
  for (DType type : kAllTypes) {
    for (std::size_t shift : {0u, 1u, 3u, 7u}) {
      const StoredMatrix w(type, 5, 64, 19, shift);
      std::vector<float> fast(64);
      std::vector<float> slow(64);
      for (std::size_t r = 0; r < 5; ++r) {
        dequantize_row(w.view, r, fast.data());
        reference::dequantize_row(w.view, r, slow.data());
        EXPECT_TRUE(same_bits(fast, slow)) << dtype_name(type) << " row " << r << " at " << shift;
      }
    }
  }
}

}  // namespace
}  // namespace laconic
