// SPDX-License-Identifier: Apache-2.0
#include "kernels/packed.h"

#include <sys/mman.h>

#include <algorithm>
#include <cassert>
#include <cstdlib>
#include <cstring>

#include "base/checked.h"
#include "base/error.h"
#include "kernels/packed_layout.h"
#include "kernels/packed_rows.h"

namespace laconic {
namespace {

constexpr std::size_t kHugePage = std::size_t{2} << 20;

}  // namespace

bool can_pack(DType type) { return packed_layout(type).block_bytes > 0; }

void PackedMatrix::Free::operator()(std::uint8_t* p) const { std::free(p); }

PackedMatrix PackedMatrix::pack(Threads& threads, const WeightView& view) {
  assert(can_pack(view.type));
  const PackedLayout layout = packed_layout(view.type);
  const std::size_t groups = packed_groups(view.rows);
  const std::size_t blocks = view.cols / kQuantBlock;
  const std::size_t group_weights = blocks * layout.block_bytes;
  const std::size_t group_scales = blocks / layout.unit_blocks * layout.unit_bytes;
  PackedMatrix out;
  out.bytes_ = checked_mul(groups, group_weights + group_scales, "the size of a packed matrix");
  // Fewer pages make fewer misses of the translation buffers, which cost more than the bytes.
  const std::size_t alignment = out.bytes_ >= kHugePage ? kHugePage : kLineBytes;
  const std::size_t size = (out.bytes_ + alignment) / alignment * alignment;
  out.memory_.reset(static_cast<std::uint8_t*>(std::aligned_alloc(alignment, size)));
  if (!out.memory_) throw_resource("{} bytes for a packed matrix cannot be allocated", size);
  if (alignment == kHugePage) ::madvise(out.memory_.get(), size, MADV_HUGEPAGE);
  std::uint8_t* weights = out.memory_.get();
  std::uint8_t* scales = weights + groups * group_weights;
  out.view_ = {view.type, weights, scales, view.rows, view.cols};
  const auto* source = reinterpret_cast<const std::uint8_t*>(view.data);
  const std::size_t stride = row_bytes(view.type, view.cols);
  threads.parallel_for(groups, 4, [&](std::size_t begin, std::size_t end, std::size_t) {
    std::memset(weights + begin * group_weights, 0, (end - begin) * group_weights);
    std::memset(scales + begin * group_scales, 0, (end - begin) * group_scales);
    for (std::size_t r = begin * kPackedRows; r < std::min(end * kPackedRows, view.rows); ++r) {
      const std::size_t group = r / kPackedRows;
      pack_row(view.type, source + r * stride, blocks, r % kPackedRows,
               weights + group * group_weights, scales + group * group_scales);
    }
  });
  return out;
}

void dequantize_packed_row(const PackedView& w, std::size_t row, float* out) {
  const PackedLayout layout = packed_layout(w.type);
  const std::size_t blocks = w.cols / kQuantBlock;
  const std::size_t group = row / kPackedRows;
  const std::uint8_t* weights = w.weights + group * blocks * layout.block_bytes;
  const std::uint8_t* scales = w.scales + group * (blocks / layout.unit_blocks) * layout.unit_bytes;
  unpack_row(w.type, weights, scales, blocks, row % kPackedRows, out);
}

}  // namespace laconic
