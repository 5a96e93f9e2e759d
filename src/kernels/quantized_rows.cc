// SPDX-License-Identifier: Apache-2.0
#include "kernels/quantized_rows.h"

#include <algorithm>
#include <cmath>
#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/quantized_rows.cc"
#include "kernels/simd_targets.h"
// Before the per-target headers.
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "kernels/rms_scale-inl.h"
#include "kernels/swiglu-inl.h"

HWY_BEFORE_NAMESPACE();
namespace laconic {
namespace HWY_NAMESPACE {

inline constexpr std::size_t kBlockVectors = kQuantBlock / kLanes;

HWY_INLINE void quantize_block(const V (&x)[kBlockVectors], QuantizedBlock& out, std::size_t row) {
  const F32 d;
  const I32 di;
  V largest = hn::Zero(d);
  bool finite = true;
  for (const V& v : x) {
    largest = hn::Max(largest, hn::Abs(v));
    finite = finite && hn::AllTrue(d, hn::IsFinite(v));
  }
  const float magnitude = finite ? max_of_lanes(largest) : 0.0f;
  const float inverse = 127.0f / magnitude;
  // Zero where the block is zero or so small that the inverse is infinite.
  const V factor = hn::Set(d, std::isfinite(inverse) ? inverse : 0.0f);
  hn::Vec<I32> sums[2] = {hn::Zero(di), hn::Zero(di)};
  for (std::size_t v = 0; v < kBlockVectors; ++v) {
    // Without the choice, infinities and NaN of a lost block would reach the conversion.
    const V scaled = finite ? hn::Mul(x[v], factor) : hn::Zero(d);
    const auto whole = hn::NearestInt(scaled);
    auto& sum = sums[v / (kBlockVectors / 2)];
    sum = hn::Add(sum, whole);
    hn::StoreU(hn::DemoteTo(I8(), whole), I8(), out.values[row] + v * kLanes);
  }
  const std::int32_t first = hn::GetLane(hn::SumOfLanes(di, sums[0]));
  const std::int32_t second = hn::GetLane(hn::SumOfLanes(di, sums[1]));
  const float scale = finite ? magnitude / 127.0f : std::numeric_limits<float>::quiet_NaN();
  out.set_scale(row, scale, first, second);
}

void quantize_row_kernel(const float* x, std::size_t cols, QuantizedBlock* out, std::size_t row) {
  V block[kBlockVectors];
  for (std::size_t b = 0; b < cols / kQuantBlock; ++b) {
    for (std::size_t v = 0; v < kBlockVectors; ++v) {
      block[v] = hn::LoadU(F32(), x + b * kQuantBlock + v * kLanes);
    }
    quantize_block(block, out[b], row);
  }
}

void rms_norm_quantize_row_kernel(const float* x, const float* weight, float eps, std::size_t cols,
                                  QuantizedBlock* out, std::size_t row) {
  const F32 d;
  const V scale = hn::Set(d, rms_scale(x, eps, cols));
  V block[kBlockVectors];
  for (std::size_t b = 0; b < cols / kQuantBlock; ++b) {
    for (std::size_t v = 0; v < kBlockVectors; ++v) {
      const std::size_t at = b * kQuantBlock + v * kLanes;
      block[v] = hn::Mul(hn::Mul(hn::LoadU(d, x + at), scale), hn::LoadU(d, weight + at));
    }
    quantize_block(block, out[b], row);
  }
}

void swiglu_quantize_kernel(const float* gate, const float* up, std::size_t blocks,
                            QuantizedBlock* out, std::size_t row) {
  const F32 d;
  V block[kBlockVectors];
  for (std::size_t b = 0; b < blocks; ++b) {
    for (std::size_t v = 0; v < kBlockVectors; ++v) {
      const std::size_t at = b * kQuantBlock + v * kLanes;
      block[v] = swiglu_vector(hn::LoadU(d, gate + at), hn::LoadU(d, up + at));
    }
    quantize_block(block, out[b], row);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace laconic
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace laconic {

HWY_EXPORT(quantize_row_kernel);
HWY_EXPORT(rms_norm_quantize_row_kernel);
HWY_EXPORT(swiglu_quantize_kernel);

namespace {

// Rows that are worth a second thread: a few microseconds, many times what calling a team costs.
std::size_t rows_per_thread(std::size_t cols) {
  return 1 + 8 * 1024 / std::max<std::size_t>(cols, 1);
}

// Blocks of SwiGLU that are worth a second thread: a quarter of a microsecond, of which the least
// batch has several.
constexpr std::size_t kSwigluBlocks = 16;

}  // namespace

void QuantizedRows::resize(std::size_t n, std::size_t cols) {
  n_ = n;
  cols_ = cols;
  const std::size_t blocks = (n + kRowsAbreast - 1) / kRowsAbreast * (cols / kQuantBlock);
  if (blocks_.size() < blocks) blocks_.resize(blocks);
}

void quantize_rows(Threads& threads, const float* x, std::size_t n, std::size_t cols,
                   QuantizedRows& out) {
  out.resize(n, cols);
  threads.parallel_for(n, rows_per_thread(cols),
                       [&](std::size_t begin, std::size_t end, std::size_t) {
                         for (std::size_t i = begin; i < end; ++i) {
                           quantize_row(x + i * cols, out, i);
                         }
                       });
}

void quantize_row(const float* x, QuantizedRows& out, std::size_t i) {
  HWY_DYNAMIC_DISPATCH(quantize_row_kernel)
  (x, out.cols(), out.blocks_of_row(i), i % kRowsAbreast);
}

void rms_norm_quantize_row(const float* x, const float* weight, float eps, QuantizedRows& out,
                           std::size_t i) {
  HWY_DYNAMIC_DISPATCH(rms_norm_quantize_row_kernel)
  (x, weight, eps, out.cols(), out.blocks_of_row(i), i % kRowsAbreast);
}

void swiglu_quantize_rows(Threads& threads, const float* gate, const float* up, std::size_t n,
                          std::size_t cols, QuantizedRows& out) {
  out.resize(n, cols);
  const std::size_t in_row = cols / kQuantBlock;
  const auto kernel = HWY_DYNAMIC_DISPATCH(swiglu_quantize_kernel);
  // All blocks of all rows in one line, cut anywhere.
  threads.parallel_for(
      n * in_row, kSwigluBlocks, [&](std::size_t begin, std::size_t end, std::size_t) {
        for (std::size_t block = begin; block < end;) {
          const std::size_t row = block / in_row;
          const std::size_t first = block % in_row;
          const std::size_t count = std::min(in_row - first, end - block);
          const std::size_t at = block * kQuantBlock;
          kernel(gate + at, up + at, count, out.blocks_of_row(row) + first, row % kRowsAbreast);
          block += count;
        }
      });
}

}  // namespace laconic
#endif  // HWY_ONCE
