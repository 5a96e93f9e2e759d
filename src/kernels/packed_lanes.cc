// SPDX-License-Identifier: Apache-2.0
// Products of packed matrices for every SIMD target of Highway.
#include <algorithm>
#include <cassert>
#include <cstring>

#include "kernels/packed_kernel.h"
#include "kernels/packed_layout.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/packed_lanes.cc"
#include "kernels/simd_targets.h"
// Before the per-target headers.
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "kernels/widen-inl.h"

HWY_BEFORE_NAMESPACE();
namespace laconic {
namespace HWY_NAMESPACE {

#undef LACONIC_PACKED_VNNI
#define LACONIC_PACKED_VNNI 0
#include "kernels/packed_dot-inl.h"
#include "kernels/packed_formats-inl.h"
#include "kernels/packed_tile-inl.h"

}  // namespace HWY_NAMESPACE
}  // namespace laconic
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace laconic {

HWY_EXPORT(packed_range_of_type);

PackedKernel packed_kernel() { return HWY_DYNAMIC_DISPATCH(packed_range_of_type); }

}  // namespace laconic
#endif  // HWY_ONCE
