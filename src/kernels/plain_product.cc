// SPDX-License-Identifier: Apache-2.0
// Products of packed f32, f16 and bf16 matrices with rows of f32.
//
// Weights are widened in registers, one operation for 16 of them, and multiplied in f32. AVX-512's
// bf16 dot products would halve the arithmetic of bf16 weights, but round the activations to 8
// bits, which moved the logits of a small model by 0.3; with activations as two bf16 halves they
// cost what f32 costs.
#include <algorithm>
#include <cassert>
#include <cstdint>

#include "kernels/packed_layout.h"
#include "kernels/plain_kernel.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/plain_product.cc"
#include "kernels/simd_targets.h"
// Before the per-target headers.
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "kernels/widen-inl.h"

HWY_BEFORE_NAMESPACE();
namespace laconic {
namespace HWY_NAMESPACE {

// Vectors of f32 that 16 rows fill.
inline constexpr std::size_t kParts = kPackedRows / kLanes;

// Activation rows of the fastest tile, times two vectors of weights, times even and odd columns: 24
// sums, four weights and an activation of 32 registers, or 12 sums of 16.
inline constexpr std::size_t kPlainTile = kManyRegisters ? 6 : 3;

// Both columns of a block, of the rows of one part.
struct PlainF32 {
  static constexpr DType kType = DType::kF32;
  static HWY_INLINE void columns(const std::uint8_t* block, std::size_t part, V& even, V& odd) {
    const float* from = reinterpret_cast<const float*>(block) + part * kLanes;
    even = hn::Load(F32(), from);
    odd = hn::Load(F32(), from + kPackedRows);
  }
};

struct PlainF16 {
  static constexpr DType kType = DType::kF16;
  static HWY_INLINE void columns(const std::uint8_t* block, std::size_t part, V& even, V& odd) {
    const std::uint16_t* from = reinterpret_cast<const std::uint16_t*>(block) + part * kLanes;
    even = f32_from_f16(hn::Load(U16(), from));
    odd = f32_from_f16(hn::Load(U16(), from + kPackedRows));
  }
};

struct PlainBF16 {
  static constexpr DType kType = DType::kBF16;
  static HWY_INLINE void columns(const std::uint8_t* block, std::size_t part, V& even, V& odd) {
    const std::uint32_t* from = reinterpret_cast<const std::uint32_t*>(block) + part * kLanes;
    const auto both = hn::Load(U32(), from);
    even = hn::BitCast(F32(), hn::ShiftLeft<16>(both));
    odd = hn::BitCast(F32(), hn::And(both, hn::Set(U32(), 0xffff0000u)));
  }
};

// One block's products with rows from kRow on. Not a loop: g++ 12 would keep the sums in memory.
template <std::size_t kRow, std::size_t kVectors, std::size_t kX>
HWY_INLINE void add_columns(const V (&w0)[kVectors], const V (&w1)[kVectors], const float* x,
                            std::size_t stride, V (&even)[kVectors][kX], V (&odd)[kVectors][kX]) {
  const V x0 = hn::Set(F32(), x[kRow * stride]);
  const V x1 = hn::Set(F32(), x[kRow * stride + 1]);
  for (std::size_t v = 0; v < kVectors; ++v) {
    even[v][kRow] = hn::MulAdd(w0[v], x0, even[v][kRow]);
    odd[v][kRow] = hn::MulAdd(w1[v], x1, odd[v][kRow]);
  }
  if constexpr (kRow + 1 < kX) add_columns<kRow + 1>(w0, w1, x, stride, even, odd);
}

// Outputs from `out` on, as far as there are so many, of kX activation rows.
template <std::size_t kX>
HWY_INLINE void store_outputs(const PlainArguments& a, std::size_t out, std::size_t first,
                              const V (&sums)[kX]) {
  const std::size_t count = std::min(kLanes, a.w.rows - std::min(a.w.rows, out));
  for (std::size_t t = 0; t < kX; ++t) {
    float* y = a.y + (first + t) * a.y_stride + out;
    if (count == kLanes) {
      hn::StoreU(sums[t], F32(), y);
    } else if (count > 0) {
      store_partial(sums[t], y, count);
    }
  }
}

// kVectors of outputs, from `vector` on among all, times kX activation rows from `first` on.
template <class Format, std::size_t kX, std::size_t kVectors>
HWY_NOINLINE void plain_tile(const PlainArguments& a, std::size_t vector, std::size_t first) {
  const F32 d;
  constexpr std::size_t kBlockBytes = packed_layout(Format::kType).block_bytes;
  const std::size_t cols = a.w.cols;
  const std::size_t group_bytes = packed_group(Format::kType, cols).weights;
  const std::uint8_t* w[kVectors];
  for (std::size_t v = 0; v < kVectors; ++v) {
    w[v] = a.w.weights + (vector + v) / kParts * group_bytes;
  }
  const float* x = a.x + first * cols;
  V even[kVectors][kX];
  V odd[kVectors][kX];
  for (std::size_t v = 0; v < kVectors; ++v) {
    for (std::size_t t = 0; t < kX; ++t) even[v][t] = odd[v][t] = hn::Zero(d);
  }
  const bool from_memory = first == 0;
  // Behind the end of a group lies the next one, which may be this tile's other one.
  constexpr std::size_t kOtherGroups = (kVectors - 1) / kParts;
  const std::size_t border = cols - std::min(cols, kLookAheadBytes / kBlockBytes * 2);
  std::size_t k = 0;
  for (; k + 1 < cols; k += 2) {
    V w0[kVectors];
    V w1[kVectors];
    const std::size_t ahead = kLookAheadBytes + (k < border ? 0 : kOtherGroups * group_bytes);
    for (std::size_t v = 0; v < kVectors; ++v) {
      for (std::size_t line = 0; from_memory && line < kBlockBytes; line += kLineBytes) {
        hwy::Prefetch(w[v] + ahead + line);
      }
      Format::columns(w[v], (vector + v) % kParts, w0[v], w1[v]);
      w[v] += kBlockBytes;
    }
    add_columns<0>(w0, w1, x + k, cols, even, odd);
  }
  if (k < cols) {  // the last one of an odd number
    for (std::size_t v = 0; v < kVectors; ++v) {
      V w0;
      V none;
      Format::columns(w[v], (vector + v) % kParts, w0, none);
      for (std::size_t t = 0; t < kX; ++t) {
        even[v][t] = hn::MulAdd(w0, hn::Set(d, x[t * cols + k]), even[v][t]);
      }
    }
  }
  for (std::size_t v = 0; v < kVectors; ++v) {
    for (std::size_t t = 0; t < kX; ++t) even[v][t] = hn::Add(even[v][t], odd[v][t]);
    store_outputs(a, (vector + v) * kLanes, first, even[v]);
  }
}

// Groups [begin, end) times kX activation rows.
template <class Format, std::size_t kX>
HWY_INLINE void plain_tiles(const PlainArguments& a, std::size_t begin, std::size_t end,
                            std::size_t first) {
  std::size_t vector = begin * kParts;
  // One row alone takes a group at a time: then its weights are a single sequential stream.
  for (; (kX > 1 || kParts > 1) && vector + 2 <= end * kParts; vector += 2)
    plain_tile<Format, kX, 2>(a, vector, first);
  for (; vector < end * kParts; ++vector) plain_tile<Format, kX, 1>(a, vector, first);
}

template <class Format, std::size_t kX>
HWY_INLINE void plain_rest(const PlainArguments& a, std::size_t begin, std::size_t end,
                           std::size_t first) {
  if (a.n - first == kX) return plain_tiles<Format, kX>(a, begin, end, first);
  if constexpr (kX > 1) plain_rest<Format, kX - 1>(a, begin, end, first);
}

template <class Format>
HWY_INLINE void plain_range(const PlainArguments& a, std::size_t begin, std::size_t end) {
  const std::size_t group_bytes =
      std::max<std::size_t>(packed_group(Format::kType, a.w.cols).weights, 1);
  const std::size_t chunk = std::max<std::size_t>(kChunkBytes / group_bytes / 2 * 2, 2);
  for (std::size_t group = begin; group < end; group += chunk) {
    const std::size_t stop = std::min(end, group + chunk);
    std::size_t first = 0;
    for (; a.n - first > kPlainTile; first += kPlainTile) {
      plain_tiles<Format, kPlainTile>(a, group, stop, first);
    }
    plain_rest<Format, kPlainTile>(a, group, stop, first);
  }
}

void plain_range_of_type(const PlainArguments& a, std::size_t begin, std::size_t end) {
  if (a.w.type == DType::kF32) return plain_range<PlainF32>(a, begin, end);
  if (a.w.type == DType::kF16) return plain_range<PlainF16>(a, begin, end);
  assert(a.w.type == DType::kBF16);
  plain_range<PlainBF16>(a, begin, end);
}

}  // namespace HWY_NAMESPACE
}  // namespace laconic
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace laconic {

HWY_EXPORT(plain_range_of_type);

PlainKernel plain_kernel() { return HWY_DYNAMIC_DISPATCH(plain_range_of_type); }

}  // namespace laconic
#endif  // HWY_ONCE
