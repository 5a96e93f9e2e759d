// SPDX-License-Identifier: Apache-2.0
#include "kernels/received.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/received.cc"
#include "kernels/simd_targets.h"
// Before the per-target headers.
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "kernels/widen-inl.h"

HWY_BEFORE_NAMESPACE();
namespace laconic {
namespace HWY_NAMESPACE {

template <GroupWeight kOfGroup>
HWY_INLINE V with_weight(V now, V weight) {
  return kOfGroup == GroupWeight::kLargest ? hn::Max(now, weight) : hn::Add(now, weight);
}

// Rows whose weights are at hand together.
constexpr std::size_t kBlockRows = 64;

// The group's weights of rows [row, row + count) as one.
template <GroupWeight kOfGroup>
HWY_INLINE void gather(const ReceivedWeights& step, std::size_t row, std::size_t count,
                       float* now /* [kBlockRows] */) {
  const F32 d;
  const float* weights = step.weights + row;
  std::size_t r = 0;
  for (; r + kLanes <= count; r += kLanes) {
    V all = hn::Zero(d);
    for (std::size_t g = 0; g < step.group; ++g) {
      all = with_weight<kOfGroup>(all, hn::LoadU(d, weights + g * step.stride + r));
    }
    hn::Store(all, d, now + r);
  }
  if (r == count) return;
  V all = hn::Zero(d);
  for (std::size_t g = 0; g < step.group; ++g) {
    all = with_weight<kOfGroup>(all, load_partial(weights + g * step.stride + r, count - r));
  }
  hn::Store(all, d, now + r);
}

HWY_INLINE void scale(float* x, std::size_t n, float factor) {
  const F32 d;
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    hn::StoreU(hn::Mul(hn::LoadU(d, x + i), hn::Set(d, factor)), d, x + i);
  }
  for (; i < n; ++i) x[i] *= factor;
}

HWY_INLINE void add(float* x, const float* y, std::size_t n) {
  const F32 d;
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    hn::StoreU(hn::Add(hn::LoadU(d, x + i), hn::LoadU(d, y + i)), d, x + i);
  }
  for (; i < n; ++i) x[i] += y[i];
}

// Products and sums in loops of their own: fused, they would round once where the CPU can.
template <GroupWeight kOfGroup>
HWY_INLINE void add_rows(const ReceivedWeights& step, float* sums) {
  HWY_ALIGN float now[kBlockRows];
  for (std::size_t row = 0; row < step.rows; row += kBlockRows) {
    const std::size_t count = std::min(kBlockRows, step.rows - row);
    gather<kOfGroup>(step, row, count, now);
    if (step.share != 1.0f) scale(now, count, step.share);
    if (step.decay != 1.0f) scale(sums + row, count, step.decay);
    add(sums + row, now, count);
  }
}

void add_received_kernel(const ReceivedWeights& step, float* sums) {
  if (step.of_group == GroupWeight::kLargest) {
    add_rows<GroupWeight::kLargest>(step, sums);
  } else {
    add_rows<GroupWeight::kSum>(step, sums);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace laconic
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace laconic {

HWY_EXPORT(add_received_kernel);

void add_received_weights(const ReceivedWeights& step, float* sums) {
  HWY_DYNAMIC_DISPATCH(add_received_kernel)(step, sums);
}

}  // namespace laconic
#endif  // HWY_ONCE
