// SPDX-License-Identifier: Apache-2.0
// The product of a range of row groups with rows of f32: what packed_products runs on each thread.
#pragma once

#include "kernels/packed.h"

namespace laconic {

struct PlainArguments {
  PackedView w;    // f32, f16 or bf16
  const float* x;  // [n][w.cols]
  std::size_t n;
  float* y;  // [n][y_stride]
  std::size_t y_stride;
};

using PlainKernel = void (*)(const PlainArguments& a, std::size_t first_group,
                             std::size_t last_group);

// For the SIMD target that dispatch chose.
PlainKernel plain_kernel();

}  // namespace laconic
