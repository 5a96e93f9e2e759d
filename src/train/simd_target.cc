// SPDX-License-Identifier: Apache-2.0
#include "train/simd_target.h"

namespace laconic::train {

std::vector<SimdTarget> available_simd_targets() {
  std::vector<SimdTarget> targets = {SimdTarget::kBaseline};
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    targets.push_back(SimdTarget::kAvx2);
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
      targets.push_back(SimdTarget::kAvx512);
  }
#endif
  return targets;
}

SimdTarget best_simd_target() {
  static const SimdTarget best = available_simd_targets().back();
  return best;
}

const char* simd_target_name(SimdTarget target) {
  switch (target) {
    case SimdTarget::kAvx2:
      return "AVX2";
    case SimdTarget::kAvx512:
      return "AVX-512";
    case SimdTarget::kBaseline:
      break;
  }
  return "baseline";
}

}  // namespace laconic::train
