// SPDX-License-Identifier: Apache-2.0
// The instruction sets that the trainer's CPU loops are compiled for. One source (the -inl.h files)
// is compiled once per target in cpu_baseline.cc, cpu_avx2.cc and cpu_avx512.cc; the target is a
// template argument, so the copies have different names and no build flag decides what runs.
#pragma once

#include <type_traits>
#include <utility>
#include <vector>

namespace laconic::train {

// kBaseline is whatever the compiler's default is.
enum class SimdTarget { kBaseline, kAvx2, kAvx512 };

// The other two are written in GCC's dialect of target pragmas.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
inline constexpr bool kHasAvxTargets = true;
#else
inline constexpr bool kHasAvxTargets = false;
#endif

// Those that this build holds and this CPU runs, best last.
std::vector<SimdTarget> available_simd_targets();
SimdTarget best_simd_target();
const char* simd_target_name(SimdTarget target);

// Calls body(std::integral_constant<SimdTarget, target>).
template <typename Body>
void on_simd_target(SimdTarget target, Body&& body) {
  using enum SimdTarget;
  if constexpr (kHasAvxTargets) {
    if (target == kAvx512) return body(std::integral_constant<SimdTarget, kAvx512>());
    if (target == kAvx2) return body(std::integral_constant<SimdTarget, kAvx2>());
  }
  body(std::integral_constant<SimdTarget, kBaseline>());
}

}  // namespace laconic::train
