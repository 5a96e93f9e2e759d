// SPDX-License-Identifier: Apache-2.0
// Products of packed matrices with AVX-512's integer dot products, which no target of this version
// of Highway enables: the AVX3 target with one feature more, in a namespace of its own.
#include <algorithm>
#include <cassert>
#include <cstring>

#include "kernels/packed_kernel.h"
#include "kernels/packed_layout.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/packed_vnni.cc"
#include "kernels/simd_targets.h"
// Before the per-target headers.
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "kernels/widen-inl.h"

#if HWY_TARGET == HWY_AVX3
HWY_PUSH_ATTRIBUTES(HWY_TARGET_STR ",avx512vnni")
namespace laconic {
namespace HWY_NAMESPACE {
namespace vnni {

#define LACONIC_PACKED_VNNI 1
#include "kernels/packed_dot-inl.h"
#include "kernels/packed_formats-inl.h"
#include "kernels/packed_tile-inl.h"

}  // namespace vnni

PackedKernel packed_kernel_of_target() { return vnni::packed_range_of_type; }

}  // namespace HWY_NAMESPACE
}  // namespace laconic
HWY_POP_ATTRIBUTES
#endif  // HWY_AVX3

#if HWY_ONCE
namespace laconic {

PackedKernel packed_kernel_vnni() {
#if HWY_TARGETS & HWY_AVX3
  return N_AVX3::packed_kernel_of_target();
#else
  return nullptr;
#endif
}

}  // namespace laconic
#endif  // HWY_ONCE
