// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "kernels/linear.h"
#include "kernels/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/linear_decode.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
// Highway wants this order: foreach_target first, then the per-target headers.
#include "kernels/dot_tile-inl.h"

HWY_BEFORE_NAMESPACE();
namespace laconic {
namespace HWY_NAMESPACE {

// Output features [begin, end) of all n rows.
void decode_rows(const WeightView& w, const float* x, std::size_t n, float* y, std::size_t begin,
                 std::size_t end) {
  const DotArguments a{reinterpret_cast<const std::uint8_t*>(w.data),
                       row_bytes(w.type, w.cols),
                       w.cols,
                       x,
                       w.cols,
                       y,
                       w.rows};
  switch (w.type) {
    case DType::kF32:
      return dot_block<FormatF32>(a, begin, end, n);
    case DType::kF16:
      return dot_block<FormatF16>(a, begin, end, n);
    case DType::kBF16:
      return dot_block<FormatBF16>(a, begin, end, n);
    case DType::kQ8_0:
      return dot_block<FormatQ8_0>(a, begin, end, n);
    case DType::kQ4_0:
      return dot_block<FormatQ4_0>(a, begin, end, n);
    case DType::kQ4_K:
      return dot_block<FormatQ4_K>(a, begin, end, n);
    case DType::kQ5_K:
      return dot_block<FormatQ5_K>(a, begin, end, n);
    case DType::kQ6_K:
      return dot_block<FormatQ6_K>(a, begin, end, n);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace laconic
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace laconic {

HWY_EXPORT(decode_rows);

void linear_decode(Threads& threads, const WeightView& w, const float* x, std::size_t n, float* y) {
  if (n == 0 || w.rows == 0) return;
  // Starting a second thread costs a few microseconds: as long as one core needs to read this much.
  constexpr std::size_t kGrainBytes = 64 * 1024;
  const std::size_t bytes_per_row = std::max<std::size_t>(row_bytes(w.type, w.cols), 1);
  const std::size_t grain = std::max<std::size_t>(kGrainBytes / bytes_per_row, 1);
  const auto kernel = HWY_DYNAMIC_DISPATCH(decode_rows);
  threads.parallel_for(w.rows, grain, [&](std::size_t begin, std::size_t end, std::size_t) {
    kernel(w, x, n, y, begin, end);
  });
}

}  // namespace laconic
#endif  // HWY_ONCE
