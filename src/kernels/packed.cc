// SPDX-License-Identifier: Apache-2.0
#include "kernels/packed.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "base/checked.h"
#include "base/error.h"
#include "base/huge_pages.h"
#include "kernels/packed_layout.h"
#include "kernels/packed_rows.h"

namespace laconic {

std::size_t packed_bytes(const WeightView& view) {
  const PackedGroup group = packed_group(view.type, view.cols);
  const std::size_t bytes = checked_mul(packed_groups(view.rows), group.weights + group.scales,
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
  const PackedGroup group = packed_group(view.type, view.cols);
  const std::size_t groups = packed_groups(view.rows);
  std::uint8_t* weights = memory;
  std::uint8_t* scales = weights + groups * group.weights;
  // What rounding up adds is hashed and compared with the rest.
  std::fill(scales + groups * group.scales, memory + packed_bytes(view), std::uint8_t{0});
  const auto* source = reinterpret_cast<const std::uint8_t*>(view.data);
  const std::size_t stride = row_bytes(view.type, view.cols);
  threads.parallel_for(groups, 4, [&](std::size_t begin, std::size_t end, std::size_t) {
    std::memset(weights + begin * group.weights, 0, (end - begin) * group.weights);
    std::memset(scales + begin * group.scales, 0, (end - begin) * group.scales);
    for (std::size_t r = begin * kPackedRows; r < std::min(end * kPackedRows, view.rows); ++r) {
      const std::size_t in = r / kPackedRows;
      pack_row(view.type, source + r * stride, view.cols, r % kPackedRows,
               weights + in * group.weights, scales + in * group.scales);
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
  const PackedGroup group = packed_group(w.type, w.cols);
  const std::size_t in = row / kPackedRows;
  unpack_row(w.type, w.weights + in * group.weights, w.scales + in * group.scales, w.cols,
             row % kPackedRows, out);
}

}  // namespace laconic
