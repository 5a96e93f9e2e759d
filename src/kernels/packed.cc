// SPDX-License-Identifier: Apache-2.0
#include "kernels/packed.h"

#include <algorithm>
#include <cassert>
#include <cstdlib>
#include <cstring>

#include "base/checked.h"
#include "base/error.h"
#include "base/huge_pages.h"
#include "kernels/packed_layout.h"
#include "kernels/packed_rows.h"

namespace laconic {
namespace {

// Bytes of all groups, for the weights and for the scales that follow them.
struct PackedSizes {
  std::size_t groups, group_weights, group_scales;

  explicit PackedSizes(const WeightView& view) : groups(packed_groups(view.rows)) {
    const PackedLayout layout = packed_layout(view.type);
    const std::size_t blocks = view.cols / kQuantBlock;
    group_weights = blocks * layout.block_bytes;
    group_scales = blocks / layout.unit_blocks * layout.unit_bytes;
  }
};

}  // namespace

bool can_pack(DType type) { return packed_layout(type).block_bytes > 0; }

std::size_t packed_bytes(const WeightView& view) {
  const PackedSizes sizes(view);
  const std::size_t bytes = checked_mul(sizes.groups, sizes.group_weights + sizes.group_scales,
                                        "the size of a packed matrix");
  return (bytes + kLineBytes - 1) / kLineBytes * kLineBytes;
}

void PackedMemory::Free::operator()(std::uint8_t* p) const { std::free(p); }

PackedMemory::PackedMemory(std::size_t bytes) {
  void* memory = nullptr;
  const std::size_t alignment = bytes >= kHugePage ? kHugePage : kLineBytes;
  if (::posix_memalign(&memory, alignment, std::max<std::size_t>(bytes, kLineBytes)) != 0) {
    throw_resource("{} bytes for packed weights cannot be allocated", bytes);
  }
  memory_.reset(static_cast<std::uint8_t*>(memory));
  advise_huge_pages(memory, bytes);
}

PackedView pack_into(Threads& threads, const WeightView& view, std::uint8_t* memory) {
  assert(can_pack(view.type));
  const PackedSizes sizes(view);
  const std::size_t blocks = view.cols / kQuantBlock;
  std::uint8_t* weights = memory;
  std::uint8_t* scales = weights + sizes.groups * sizes.group_weights;
  std::uint8_t* const end_of_scales = scales + sizes.groups * sizes.group_scales;
  // What rounding up adds is hashed and compared with the rest.
  std::fill(end_of_scales, memory + packed_bytes(view), std::uint8_t{0});
  const auto* source = reinterpret_cast<const std::uint8_t*>(view.data);
  const std::size_t stride = row_bytes(view.type, view.cols);
  threads.parallel_for(sizes.groups, 4, [&](std::size_t begin, std::size_t end, std::size_t) {
    std::memset(weights + begin * sizes.group_weights, 0, (end - begin) * sizes.group_weights);
    std::memset(scales + begin * sizes.group_scales, 0, (end - begin) * sizes.group_scales);
    for (std::size_t r = begin * kPackedRows; r < std::min(end * kPackedRows, view.rows); ++r) {
      const std::size_t group = r / kPackedRows;
      pack_row(view.type, source + r * stride, blocks, r % kPackedRows,
               weights + group * sizes.group_weights, scales + group * sizes.group_scales);
    }
  });
  return {view.type, weights, scales, view.rows, view.cols};
}

PackedMatrix PackedMatrix::pack(Threads& threads, const WeightView& view) {
  PackedMatrix out;
  out.bytes_ = packed_bytes(view);
  out.memory_ = PackedMemory(out.bytes_);
  out.view_ = pack_into(threads, view, out.memory_.data());
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
