// SPDX-License-Identifier: Apache-2.0
// What the numerators of a few queries gather of a page's V rows. Included once per SIMD target.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "kernels/simd_targets.h"

#if defined(LACONIC_KERNELS_ATTEND_VALUES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LACONIC_KERNELS_ATTEND_VALUES_INL_H_
#undef LACONIC_KERNELS_ATTEND_VALUES_INL_H_
#else
#define LACONIC_KERNELS_ATTEND_VALUES_INL_H_
#endif

#include "kernels/attend_logits-inl.h"
#include "kernels/attention.h"

HWY_BEFORE_NAMESPACE();
namespace laconic {
namespace HWY_NAMESPACE {

// The V rows of a page, and their queries' numerators.
struct ValueRows {
  const std::uint8_t* rows;
  std::size_t stride;  // bytes
  std::size_t count;
  // Memory is asked for so many rows ahead; behind the last row lies `next`, in another page.
  std::size_t ahead;
  const std::uint8_t* next;
  const float* p;       // [kX][kPageRows]
  const float* shrink;  // [kX]
};

// out[i][at, at + kVectors * kLanes) = out * shrink + sum_r p[i][r] V[r], one chain per element.
template <typename Format, From kFrom, std::size_t kX, std::size_t kVectors>
HWY_INLINE void add_values(const ValueRows a, float* out, std::size_t out_stride, std::size_t at) {
  const F32 d;
  V sum[kX][kVectors];
  for (std::size_t i = 0; i < kX; ++i) {
    for (std::size_t c = 0; c < kVectors; ++c) {
      const float* old = out + i * out_stride + at + c * kLanes;
      sum[i][c] = hn::Mul(hn::LoadU(d, old), hn::Set(d, a.shrink[i]));
    }
  }
  // Whole blocks where a pass is that wide, so that each scale is widened once.
  constexpr bool kWhole = Format::kBlocks && kVectors * kLanes % Format::kSpan == 0;
  constexpr std::size_t kPart = kWhole ? Format::kSpan / kLanes : 1;  // vectors read together
  constexpr std::size_t kWidth = kVectors * kLanes;
  constexpr std::size_t kBytes =
      Format::kBlocks ? (kWidth + Format::kSpan - 1) / Format::kSpan * Format::kSpanBytes
                      : kWidth * Format::kSpanBytes / Format::kSpan;
  const std::size_t offset = stored_bytes<Format>(at);
  const std::size_t border = a.count - std::min(a.count, a.ahead);
  const std::uint8_t* v = a.rows;
  for (std::size_t r = 0; r < a.count; ++r, v += a.stride) {
    if constexpr (kFrom == From::kMemory) {
      const std::uint8_t* ahead =
          (r < border ? v + a.ahead * a.stride : a.next + (r - border) * a.stride) + offset;
      for (std::size_t line = 0; line < kBytes; line += 64) hwy::Prefetch(ahead + line);
    }
    for (std::size_t c = 0; c < kVectors; c += kPart) {
      V value[kPart];
      if constexpr (kWhole) {
        const Format span(v + offset + c / kPart * Format::kSpanBytes);
        for (std::size_t w = 0; w < kPart; ++w) value[w] = span.vector(w);
      } else {
        value[0] = row_vector<Format>(v, at + c * kLanes);
      }
      for (std::size_t w = 0; w < kPart; ++w) {
        for (std::size_t i = 0; i < kX; ++i) {
          sum[i][c + w] = hn::MulAdd(hn::Set(d, a.p[i * kPageRows + r]), value[w], sum[i][c + w]);
        }
      }
    }
  }
  for (std::size_t i = 0; i < kX; ++i) {
    for (std::size_t c = 0; c < kVectors; ++c) {
      hn::StoreU(sum[i][c], d, out + i * out_stride + at + c * kLanes);
    }
  }
}

// The same for the last elements of a head whose size is no multiple of the lanes.
template <typename Format>
HWY_INLINE void add_values_tail(const ValueRows& a, std::size_t i, float* out, std::size_t at,
                                std::size_t elements) {
  const F32 d;
  V sum = hn::Mul(load_partial(out + at, elements), hn::Set(d, a.shrink[i]));
  const std::uint8_t* v = a.rows + at * Format::kBytes;
  for (std::size_t r = 0; r < a.count; ++r, v += a.stride) {
    sum = hn::MulAdd(hn::Set(d, a.p[i * kPageRows + r]), load_partial<Format>(v, elements), sum);
  }
  store_partial(sum, out + at, elements);
}

// out[i][0, columns) of kX queries. A function of its own, so that it is compiled once per target.
template <typename Format, From kFrom, std::size_t kX>
HWY_NOINLINE void add_value_rows(const ValueRows& from, std::size_t columns, float* out,
                                 std::size_t out_stride) {
  // As many vectors of a row as accumulators allow: a row is then read in one go.
  constexpr std::size_t kWide = kManyRegisters ? (kX <= 2 ? 8 : kX <= 6 ? 4 : 2) : kX <= 3 ? 4 : 2;
  const ValueRows a = from;  // in registers: nothing that is stored can be part of it
  std::size_t at = 0;
  for (; at + kWide * kLanes <= columns; at += kWide * kLanes) {
    add_values<Format, kFrom, kX, kWide>(a, out, out_stride, at);
  }
  if constexpr (kWide > 2) {
    for (; at + 2 * kLanes <= columns; at += 2 * kLanes) {
      add_values<Format, kFrom, kX, 2>(a, out, out_stride, at);
    }
  }
  for (; at + kLanes <= columns; at += kLanes) {
    add_values<Format, kFrom, kX, 1>(a, out, out_stride, at);
  }
  if constexpr (!Format::kBlocks) {
    if (at < columns) {
      for (std::size_t i = 0; i < kX; ++i) {
        add_values_tail<Format>(a, i, out + i * out_stride, at, columns - at);
      }
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace laconic
HWY_AFTER_NAMESPACE();

#endif  // per target
