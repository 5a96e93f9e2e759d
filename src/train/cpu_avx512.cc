// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "train/attention_unit.h"
#include "train/fused_rows.h"

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)

// After the shared headers: what they define inline must stay runnable everywhere.
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")

namespace laconic::train {
constexpr SimdTarget kThisTarget = SimdTarget::kAvx512;
constexpr std::size_t kLanes = 16;
constexpr int kRegisters = 32;
}  // namespace laconic::train

#include "train/cpu_loops-inl.h"

#endif
