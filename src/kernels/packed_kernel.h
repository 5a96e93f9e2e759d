// SPDX-License-Identifier: Apache-2.0
// The product of a range of row groups: what packed_products runs on each thread.
#pragma once

#include "kernels/packed.h"

namespace laconic {

struct PackedArguments {
  PackedView w;
  QuantizedRowsView x;
  float* y;  // [n][y_stride]
  std::size_t y_stride;
};

using PackedKernel = void (*)(const PackedArguments& a, std::size_t first_group,
                              std::size_t last_group);

// For the SIMD target that dispatch chose, without integer dot products.
PackedKernel packed_kernel();
// With AVX-512's; null where this build has none. PRECONDITION of calling it: use_vnni().
PackedKernel packed_kernel_vnni();

}  // namespace laconic
