// SPDX-License-Identifier: Apache-2.0
// Logits and lengths of a head's keys (kernels/attention.h): what rankings ask for.
//
// Logits are a blocked product: keys are widened to a panel of f32 that stays in L1 while all
// queries go by, so memory is read once, and a register tile of the panel and a few queries makes
// one load do for several products.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <new>

#include "kernels/attention.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/attention_keys.cc"
#include "kernels/simd_targets.h"
// Before the per-target headers.
#include "hwy/aligned_allocator.h"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "kernels/key_panel-inl.h"

HWY_BEFORE_NAMESPACE();
namespace laconic {
namespace HWY_NAMESPACE {

inline constexpr std::size_t kSpan = 2 * kLanes;  // one vector for each accumulator

// How far ahead of its use memory is asked for: a core's share of the bandwidth times the latency
// of memory is 20 GB/s x 100 ns = 2 KB. Of 1, 2 and 3 KB the last was best, 36 to 55 GB/s from two
// threads of Zen 5.
inline constexpr std::size_t kAheadBytes = 3 * 1024;

template <typename Format>
HWY_INLINE void key_logits_pages(const HeadRowsView& kv, std::size_t begin, std::size_t end,
                                 const float* q, std::size_t queries, float scale, float* panel,
                                 float* logits) {
  const std::size_t stride = end - begin;
  for (std::size_t row = begin; row < end;) {
    const std::size_t in_page = row % kPageRows;
    const std::size_t count = std::min({panel_rows(kv.head_dim), kPageRows - in_page, end - row});
    const auto* page = reinterpret_cast<const std::uint8_t*>(kv.pages[row / kPageRows]);
    widen_keys<Format>(page + in_page * stored_bytes<Format>(kv.head_dim), count, kv.head_dim,
                       kAheadBytes, panel);
    float* to = logits + (row - begin);
    dot_panel(panel, count, kv.head_dim, q, queries, to, stride);
    for (std::size_t i = 0; i < queries; ++i) {
      for (std::size_t r = 0; r < count; ++r) to[i * stride + r] *= scale;
    }
    row += count;
  }
}

void key_logits_kernel(const HeadRowsView& kv, std::size_t begin, std::size_t end, const float* q,
                       std::size_t queries, float scale, float* logits) {
  const auto panel =
      hwy::AllocateAligned<float>(panel_rows(kv.head_dim) * panel_width(kv.head_dim));
  if (panel == nullptr) throw std::bad_alloc();
  if (kv.type == DType::kF32) {
    key_logits_pages<FormatF32>(kv, begin, end, q, queries, scale, panel.get(), logits);
  } else if (kv.type == DType::kF16) {
    key_logits_pages<FormatF16>(kv, begin, end, q, queries, scale, panel.get(), logits);
  } else if (kv.type == DType::kQ8_0) {
    key_logits_pages<FormatQ8_0>(kv, begin, end, q, queries, scale, panel.get(), logits);
  } else {
    key_logits_pages<FormatBF16>(kv, begin, end, q, queries, scale, panel.get(), logits);
  }
}

template <typename Format>
HWY_INLINE void key_lengths_pages(const HeadRowsView& kv, std::size_t begin, std::size_t end,
                                  float* lengths) {
  const F32 d;
  for (std::size_t row = begin; row < end; ++row) {
    const std::uint8_t* key = reinterpret_cast<const std::uint8_t*>(kv.pages[row / kPageRows]) +
                              row % kPageRows * stored_bytes<Format>(kv.head_dim);
    V sum0 = hn::Zero(d);
    V sum1 = hn::Zero(d);
    std::size_t k = 0;
    for (; k + kSpan <= kv.head_dim; k += kSpan) {
      hwy::Prefetch(key + stored_bytes<Format>(k) + kAheadBytes);
      const V a = row_vector<Format>(key, k);
      const V b = row_vector<Format>(key, k + kLanes);
      sum0 = hn::MulAdd(a, a, sum0);
      sum1 = hn::MulAdd(b, b, sum1);
    }
    if constexpr (!Format::kBlocks) {
      for (; k < kv.head_dim; k += kLanes) {
        const V a =
            load_partial<Format>(key + k * Format::kBytes, std::min(kLanes, kv.head_dim - k));
        sum0 = hn::MulAdd(a, a, sum0);
      }
    }
    lengths[row - begin] = std::sqrt(sum_of_lanes(hn::Add(sum0, sum1)));
  }
}

void key_lengths_kernel(const HeadRowsView& kv, std::size_t begin, std::size_t end,
                        float* lengths) {
  if (kv.type == DType::kF32) {
    key_lengths_pages<FormatF32>(kv, begin, end, lengths);
  } else if (kv.type == DType::kF16) {
    key_lengths_pages<FormatF16>(kv, begin, end, lengths);
  } else if (kv.type == DType::kQ8_0) {
    key_lengths_pages<FormatQ8_0>(kv, begin, end, lengths);
  } else {
    key_lengths_pages<FormatBF16>(kv, begin, end, lengths);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace laconic
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace laconic {

HWY_EXPORT(key_logits_kernel);
HWY_EXPORT(key_lengths_kernel);

void key_logits(const HeadRowsView& kv, std::size_t begin, std::size_t end, const float* q,
                std::size_t queries, float scale, float* logits) {
  if (queries == 0 || begin >= end) return;
  HWY_DYNAMIC_DISPATCH(key_logits_kernel)(kv, begin, end, q, queries, scale, logits);
}

void key_lengths(const HeadRowsView& kv, std::size_t begin, std::size_t end, float* lengths) {
  HWY_DYNAMIC_DISPATCH(key_lengths_kernel)(kv, begin, end, lengths);
}

}  // namespace laconic
#endif  // HWY_ONCE
