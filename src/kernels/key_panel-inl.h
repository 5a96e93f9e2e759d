// SPDX-License-Identifier: Apache-2.0
// Keys widened to a panel of f32 that stays in L1 while many queries go by. Included once per SIMD
// target.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "kernels/simd_targets.h"

#if defined(LACONIC_KERNELS_KEY_PANEL_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LACONIC_KERNELS_KEY_PANEL_INL_H_
#undef LACONIC_KERNELS_KEY_PANEL_INL_H_
#else
#define LACONIC_KERNELS_KEY_PANEL_INL_H_
#endif

#include "kernels/attend_logits-inl.h"

HWY_BEFORE_NAMESPACE();
namespace laconic {
namespace HWY_NAMESPACE {

// A panel is 16 KiB of the 32 to 48 of L1: 32 keys of 128 elements.
inline constexpr std::size_t kPanelFloats = 4096;

// Queries that share one pass over a panel.
inline constexpr std::size_t kPanelTile = 3;

// Floats that a key takes.
HWY_INLINE std::size_t panel_width(std::size_t head_dim) {
  return (head_dim + kLanes - 1) / kLanes * kLanes;
}

// Keys that one panel holds: at least those of one tile, which long rows need more memory for.
HWY_INLINE std::size_t panel_rows(std::size_t head_dim) {
  return std::max(kPanelFloats / panel_width(head_dim) / kSumRows, std::size_t{1}) * kSumRows;
}

// Keys [0, count) to panel [count][panel_width], zeros behind. Memory is asked for so many bytes
// ahead of its use.
template <typename Format>
HWY_INLINE void widen_keys(const std::uint8_t* keys, std::size_t count, std::size_t head_dim,
                           std::size_t ahead, float* panel) {
  const F32 d;
  const std::size_t width = panel_width(head_dim);
  for (std::size_t r = 0; r < count; ++r) {
    const std::uint8_t* from = keys + r * stored_bytes<Format>(head_dim);
    float* to = panel + r * width;
    std::size_t k = 0;
    for (; k + kLanes <= head_dim; k += kLanes) {
      hwy::Prefetch(from + stored_bytes<Format>(k) + ahead);
      hn::Store(row_vector<Format>(from, k), d, to + k);
    }
    if constexpr (!Format::kBlocks) {
      if (k < head_dim) {
        hn::Store(load_partial<Format>(from + k * Format::kBytes, head_dim - k), d, to + k);
      }
    }
  }
}

// out[i][r] = q[i] . key r, for the panel's first `count` keys.
HWY_INLINE void dot_panel(const float* panel, std::size_t count, std::size_t head_dim,
                          const float* q, std::size_t queries, float* out, std::size_t out_stride) {
  LogitArguments a{reinterpret_cast<const std::uint8_t*>(panel),
                   panel_width(head_dim) * sizeof(float),
                   head_dim,
                   q,
                   out,
                   out_stride};
  const auto advance = [&](std::size_t done) {
    a.q += done * head_dim;
    a.out += done * out_stride;
    queries -= done;
  };
  for (; queries >= kPanelTile; advance(kPanelTile)) {
    dot_rows<FormatF32, From::kL1, kPanelTile>(a, 0, count);
  }
  if (queries == 2) dot_rows<FormatF32, From::kL1, 2>(a, 0, count);
  if (queries == 1) dot_rows<FormatF32, From::kL1, 1>(a, 0, count);
}

}  // namespace HWY_NAMESPACE
}  // namespace laconic
HWY_AFTER_NAMESPACE();

#endif  // per target
