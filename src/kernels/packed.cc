// SPDX-License-Identifier: Apache-2.0
// Packing and unpacking, on whole groups: loads run once per model, so these loops are plain.
#include "kernels/packed.h"

#include <sys/mman.h>

#include <algorithm>
#include <cassert>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "base/checked.h"
#include "base/error.h"
#include "base/half.h"
#include "kernels/packed_layout.h"
#include "kernels/quantize.h"

namespace laconic {
namespace {

constexpr std::size_t kHugePage = std::size_t{2} << 20;

// Where the byte of a column of a block lies within its line: the quad's line is the caller's.
constexpr std::size_t place(std::size_t row, std::size_t column) { return row * 4 + column % 4; }

float half_at(const std::uint8_t* p) {
  std::uint16_t bits;
  std::memcpy(&bits, p, sizeof(bits));
  return float_from_f16(bits);
}

// Row `row` of a group from the source's blocks, into a group's memory that is zero before.
void pack_q8_0(const std::uint8_t* source, std::size_t blocks, std::size_t row,
               std::uint8_t* weights, std::uint8_t* scales) {
  for (std::size_t b = 0; b < blocks; ++b) {
    std::memcpy(scales + 2 * row, source, 2);
    for (std::size_t k = 0; k < kQuantBlock; ++k) {
      weights[k / 4 * kLineBytes + place(row, k)] = source[2 + k] ^ 0x80;
    }
    source += block_bytes(DType::kQ8_0);
    weights += packed_layout(DType::kQ8_0).block_bytes;
    scales += packed_layout(DType::kQ8_0).unit_bytes;
  }
}

void unpack_q8_0(const std::uint8_t* weights, const std::uint8_t* scales, std::size_t blocks,
                 std::size_t row, float* out) {
  for (std::size_t b = 0; b < blocks; ++b) {
    const float scale = half_at(scales + 2 * row);
    for (std::size_t k = 0; k < kQuantBlock; ++k) {
      const int q = weights[k / 4 * kLineBytes + place(row, k)] - 128;
      out[b * kQuantBlock + k] = scale * static_cast<float>(q);
    }
    weights += packed_layout(DType::kQ8_0).block_bytes;
    scales += packed_layout(DType::kQ8_0).unit_bytes;
  }
}

// The nibble of a column within its block: quads 2j and 2j + 1 share line j.
constexpr std::size_t nibble_place(std::size_t row, std::size_t k) {
  return k / 8 * kLineBytes + place(row, k);
}
constexpr unsigned nibble_shift(std::size_t k) { return k / 4 % 2 * 4; }

void set_nibble(std::uint8_t* block, std::size_t row, std::size_t k, unsigned value) {
  std::uint8_t& byte = block[nibble_place(row, k)];
  byte = static_cast<std::uint8_t>(byte | (value << nibble_shift(k)));
}

unsigned nibble(const std::uint8_t* block, std::size_t row, std::size_t k) {
  return (block[nibble_place(row, k)] >> nibble_shift(k)) & 15u;
}

void pack_q4_0(const std::uint8_t* source, std::size_t blocks, std::size_t row,
               std::uint8_t* weights, std::uint8_t* scales) {
  for (std::size_t b = 0; b < blocks; ++b) {
    std::memcpy(scales + 2 * row, source, 2);
    for (std::size_t k = 0; k < kQuantBlock / 2; ++k) {
      set_nibble(weights, row, k, source[2 + k] & 15u);
      set_nibble(weights, row, k + kQuantBlock / 2, source[2 + k] >> 4);
    }
    source += block_bytes(DType::kQ4_0);
    weights += packed_layout(DType::kQ4_0).block_bytes;
    scales += packed_layout(DType::kQ4_0).unit_bytes;
  }
}

void unpack_q4_0(const std::uint8_t* weights, const std::uint8_t* scales, std::size_t blocks,
                 std::size_t row, float* out) {
  for (std::size_t b = 0; b < blocks; ++b) {
    const float scale = half_at(scales + 2 * row);
    for (std::size_t k = 0; k < kQuantBlock; ++k) {
      const int q = static_cast<int>(nibble(weights, row, k)) - 8;
      out[b * kQuantBlock + k] = scale * static_cast<float>(q);
    }
    weights += packed_layout(DType::kQ4_0).block_bytes;
    scales += packed_layout(DType::kQ4_0).unit_bytes;
  }
}

void pack_row(DType type, const std::uint8_t* source, std::size_t blocks, std::size_t row,
              std::uint8_t* weights, std::uint8_t* scales) {
  switch (type) {
    case DType::kQ8_0:
      return pack_q8_0(source, blocks, row, weights, scales);
    case DType::kQ4_0:
      return pack_q4_0(source, blocks, row, weights, scales);
    case DType::kF32:
    case DType::kF16:
    case DType::kBF16:
      break;
  }
  assert(false && "only types that can_pack");
}

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
  switch (w.type) {
    case DType::kQ8_0:
      return unpack_q8_0(weights, scales, blocks, row % kPackedRows, out);
    case DType::kQ4_0:
      return unpack_q4_0(weights, scales, blocks, row % kPackedRows, out);
    case DType::kF32:
    case DType::kF16:
    case DType::kBF16:
      break;
  }
  assert(false && "only types that can_pack");
}

}  // namespace laconic
