// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "train/attention_unit.h"
#include "train/fused_rows.h"

namespace laconic::train {
constexpr SimdTarget kThisTarget = SimdTarget::kBaseline;
constexpr std::size_t kLanes = 4;
constexpr int kRegisters = 16;
}  // namespace laconic::train

#include "train/cpu_loops-inl.h"
