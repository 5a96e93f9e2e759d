// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cassert>

#include "kernels/packed.h"
#include "kernels/packed_kernel.h"
#include "kernels/packed_layout.h"
#include "kernels/plain_kernel.h"
#include "kernels/system.h"

namespace laconic {
namespace {

// Bytes of weights worth waking a thread for: a few microseconds, at one activation row.
constexpr std::size_t kGrainBytes = 64 * 1024;

// Groups that threads are given together: as many as a tile takes.
constexpr std::size_t kQuantizedUnit = 1;
constexpr std::size_t kPlainUnit = 2;

// Calls run(product, first group, last group) for all groups of all products, in pieces.
template <typename Run>
void for_groups(Threads& threads, std::span<const PackedProduct> products, std::size_t n,
                std::size_t unit, const Run& run) {
  const auto units_of = [unit](const PackedView& w) {
    return (packed_groups(w.rows) + unit - 1) / unit;
  };
  std::size_t units = 0;
  std::size_t widest = 1;
  for (const PackedProduct& p : products) {
    assert(p.y_stride >= p.w.rows);
    const PackedGroup group = packed_group(p.w.type, p.w.cols);
    units += units_of(p.w);
    widest = std::max(widest, unit * (group.weights + group.scales) * n);
  }
  const std::size_t grain = std::max<std::size_t>(kGrainBytes / widest, 1);
  threads.parallel_for(units, grain, [&](std::size_t begin, std::size_t end, std::size_t) {
    std::size_t first = 0;  // of this matrix among all units
    for (const PackedProduct& p : products) {
      const std::size_t count = units_of(p.w);
      const std::size_t from = std::clamp(begin, first, first + count) - first;
      const std::size_t to = std::clamp(end, first, first + count) - first;
      if (from < to) run(p, from * unit, std::min(to * unit, packed_groups(p.w.rows)));
      first += count;
    }
  });
}

}  // namespace

void packed_products(Threads& threads, std::span<const PackedProduct> products,
                     const QuantizedRows& x) {
  const QuantizedRowsView rows = x.view();
  if (rows.n == 0) return;
  const PackedKernel kernel = use_vnni() ? packed_kernel_vnni() : packed_kernel();
  for_groups(threads, products, rows.n, kQuantizedUnit,
             [&](const PackedProduct& p, std::size_t begin, std::size_t end) {
               assert(p.w.cols == rows.cols);
               kernel({p.w, rows, p.y, p.y_stride}, begin, end);
             });
}

void packed_products(Threads& threads, std::span<const PackedProduct> products, const float* x,
                     std::size_t n) {
  if (n == 0) return;
  const PlainKernel kernel = plain_kernel();
  for_groups(threads, products, n, kPlainUnit,
             [&](const PackedProduct& p, std::size_t begin, std::size_t end) {
               assert(!reads_quantized_rows(p.w.type) && p.w.cols == products.front().w.cols);
               kernel({p.w, x, n, p.y, p.y_stride}, begin, end);
             });
}

}  // namespace laconic
