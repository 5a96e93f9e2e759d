// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cassert>

#include "kernels/packed.h"
#include "kernels/packed_kernel.h"
#include "kernels/packed_layout.h"
#include "kernels/system.h"

namespace laconic {
namespace {

// Bytes of weights worth waking a thread for: a few microseconds, at one activation row.
constexpr std::size_t kGrainBytes = 64 * 1024;

std::size_t group_bytes(const PackedView& w) {
  const PackedLayout layout = packed_layout(w.type);
  return w.cols / kQuantBlock * (layout.block_bytes + layout.unit_bytes / layout.unit_blocks);
}

}  // namespace

void packed_products(Threads& threads, std::span<const PackedProduct> products,
                     const QuantizedRows& x) {
  const QuantizedRowsView rows = x.view();
  if (rows.n == 0) return;
  std::size_t groups = 0;
  std::size_t widest = 1;
  for (const PackedProduct& p : products) {
    assert(p.w.cols == rows.cols && p.y_stride >= p.w.rows);
    groups += packed_groups(p.w.rows);
    widest = std::max(widest, group_bytes(p.w) * rows.n);
  }
  const PackedKernel kernel = use_vnni() ? packed_kernel_vnni() : packed_kernel();
  const std::size_t grain = std::max<std::size_t>(kGrainBytes / widest, 1);
  threads.parallel_for(groups, grain, [&](std::size_t begin, std::size_t end, std::size_t) {
    std::size_t first = 0;  // of this matrix among all groups
    for (const PackedProduct& p : products) {
      const std::size_t count = packed_groups(p.w.rows);
      const std::size_t from = std::clamp(begin, first, first + count) - first;
      const std::size_t to = std::clamp(end, first, first + count) - first;
      if (from < to) kernel({p.w, rows, p.y, p.y_stride}, from, to);
      first += count;
    }
  });
}

}  // namespace laconic
