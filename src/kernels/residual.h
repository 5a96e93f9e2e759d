// SPDX-License-Identifier: Apache-2.0
// The residual stream between two products: what the first one gave is added, checked, normed and
// quantised for the next one, row by row, while a row is in the L1 cache. Rows are shared between
// threads.
#pragma once

#include <cstddef>

#include "base/threads.h"
#include "kernels/quantized_rows.h"

namespace laconic {

struct ResidualStage {
  float* x;  // [n][cols] the stream
  std::size_t n, cols;
  const float* delta = nullptr;  // [n][cols] added to x; null: x is new
  const float* bias = nullptr;   // [cols] added to delta first; null: there is none
  const float* norm = nullptr;   // [cols] weight of the norm that the next products read
  float eps = 0;
  // The normed rows in each form that is read: int8, resized here, and f32 [n][cols].
  QuantizedRows* quantized = nullptr;
  float* normed = nullptr;
};

// The bits of add_in_place (of delta + bias), rms_norm and quantize_rows one after the other.
// Whether all of x is finite; if not, the normed rows are of no use.
[[nodiscard]] bool run_stage(Threads& threads, const ResidualStage& stage);

}  // namespace laconic
