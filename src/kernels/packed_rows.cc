// SPDX-License-Identifier: Apache-2.0
#include "kernels/packed_rows.h"

#include <cassert>
#include <cstring>

#include "base/half.h"
#include "kernels/k_quants.h"
#include "kernels/packed_layout.h"

namespace laconic {
namespace {

float half_at(const std::uint8_t* p) {
  std::uint16_t bits;
  std::memcpy(&bits, p, sizeof(bits));
  return float_from_f16(bits);
}

// Where the byte of a column lies within its quad's line.
constexpr std::size_t place(std::size_t row, std::size_t k) { return row * 4 + k % 4; }

// Adds bits to a byte that has zeros there.
void add_bits(std::uint8_t& byte, unsigned bits) { byte = static_cast<std::uint8_t>(byte | bits); }

struct Q8_0 {
  static constexpr DType kType = DType::kQ8_0;

  static void pack(const std::uint8_t* source, std::size_t row, std::uint8_t* weights,
                   std::uint8_t* scales) {
    std::memcpy(scales + 2 * row, source, 2);
    for (std::size_t k = 0; k < kQuantBlock; ++k) {
      weights[k / 4 * kLineBytes + place(row, k)] = source[2 + k] ^ 0x80;
    }
  }
  static void unpack(const std::uint8_t* weights, const std::uint8_t* scales, std::size_t row,
                     float* out) {
    const float scale = half_at(scales + 2 * row);
    for (std::size_t k = 0; k < kQuantBlock; ++k) {
      const int q = weights[k / 4 * kLineBytes + place(row, k)] - 128;
      out[k] = scale * static_cast<float>(q);
    }
  }
};

// Quads 2j and 2j + 1 share line j.
constexpr unsigned nibble_shift(std::size_t k) { return k / 4 % 2 * 4; }

void set_nibble(std::uint8_t* block, std::size_t row, std::size_t k, unsigned value) {
  add_bits(block[k / 8 * kLineBytes + place(row, k)], value << nibble_shift(k));
}

unsigned nibble(const std::uint8_t* block, std::size_t row, std::size_t k) {
  return (static_cast<unsigned>(block[k / 8 * kLineBytes + place(row, k)]) >> nibble_shift(k)) &
         15u;
}

struct Q4_0 {
  static constexpr DType kType = DType::kQ4_0;

  static void pack(const std::uint8_t* source, std::size_t row, std::uint8_t* weights,
                   std::uint8_t* scales) {
    std::memcpy(scales + 2 * row, source, 2);
    for (std::size_t k = 0; k < kQuantBlock / 2; ++k) {
      set_nibble(weights, row, k, source[2 + k] & 15u);
      set_nibble(weights, row, k + kQuantBlock / 2, source[2 + k] >> 4);
    }
  }
  static void unpack(const std::uint8_t* weights, const std::uint8_t* scales, std::size_t row,
                     float* out) {
    const float scale = half_at(scales + 2 * row);
    for (std::size_t k = 0; k < kQuantBlock; ++k) {
      out[k] = scale * static_cast<float>(static_cast<int>(nibble(weights, row, k)) - 8);
    }
  }
};

// q4_k and q5_k, which has a fifth line of upper bits.
template <DType kTypeOfBlock>
struct WithMinimum {
  static constexpr DType kType = kTypeOfBlock;
  static constexpr std::size_t kBlockBytes = packed_layout(kType).block_bytes;
  static constexpr bool kFifthBit = kType == DType::kQ5_K;

  static void pack(const std::uint8_t* source, std::size_t row, std::uint8_t* weights,
                   std::uint8_t* scales) {
    std::memcpy(scales + 2 * row, source, 2);
    std::memcpy(scales + kKPackedMinimumAt + 2 * row, source + kKMinimumAt, 2);
    for (std::size_t b = 0; b < kKBlock / kQuantBlock; ++b) {
      const KScale s = k_scale(source, b);
      scales[kKPackedScalesAt + b * kPackedRows + row] = s.scale;
      scales[kKPackedMinimaAt + b * kPackedRows + row] = s.minimum;
    }
    for (std::size_t at = 0; at < kKBlock; ++at) {
      const unsigned q = kFifthBit ? q5_k_value(source, at) : q4_k_value(source, at);
      std::uint8_t* block = weights + at / kQuantBlock * kBlockBytes;
      const std::size_t k = at % kQuantBlock;
      set_nibble(block, row, k, q & 15u);
      if (kFifthBit) add_bits(block[kUpperBitsAt + place(row, k)], q >> 4 << (k / 4));
    }
  }
  static void unpack(const std::uint8_t* weights, const std::uint8_t* scales, std::size_t row,
                     float* out) {
    const float d = half_at(scales + 2 * row);
    const float minimum_d = half_at(scales + kKPackedMinimumAt + 2 * row);
    for (std::size_t at = 0; at < kKBlock; ++at) {
      const std::size_t b = at / kQuantBlock, k = at % kQuantBlock;
      const std::uint8_t* block = weights + b * kBlockBytes;
      unsigned q = nibble(block, row, k);
      if (kFifthBit) {
        q |= ((static_cast<unsigned>(block[kUpperBitsAt + place(row, k)]) >> (k / 4)) & 1u) << 4;
      }
      const float scale = scales[kKPackedScalesAt + b * kPackedRows + row];
      const float minimum = scales[kKPackedMinimaAt + b * kPackedRows + row];
      out[at] = d * scale * static_cast<float>(q) - minimum_d * minimum;
    }
  }
};

struct Q6_K {
  static constexpr DType kType = DType::kQ6_K;
  static constexpr std::size_t kBlockBytes = packed_layout(kType).block_bytes;

  // Two bits for each of four quads in a byte, four quads in a line.
  static constexpr std::size_t upper_place(std::size_t row, std::size_t k) {
    return kUpperBitsAt + k / 16 * kLineBytes + place(row, k);
  }
  static constexpr unsigned upper_shift(std::size_t k) { return k / 4 % 4 * 2; }

  static void pack(const std::uint8_t* source, std::size_t row, std::uint8_t* weights,
                   std::uint8_t* scales) {
    std::memcpy(scales + 2 * row, source + kQ6KScaleAt, 2);
    for (std::size_t half = 0; half < kKBlock / 16; ++half) {
      scales[kQ6KPackedScalesAt + half * kPackedRows + row] = source[kQ6KScalesAt + half];
    }
    for (std::size_t at = 0; at < kKBlock; ++at) {
      const unsigned q = q6_k_value(source, at);
      std::uint8_t* block = weights + at / kQuantBlock * kBlockBytes;
      const std::size_t k = at % kQuantBlock;
      set_nibble(block, row, k, q & 15u);
      add_bits(block[upper_place(row, k)], q >> 4 << upper_shift(k));
    }
  }
  static void unpack(const std::uint8_t* weights, const std::uint8_t* scales, std::size_t row,
                     float* out) {
    const float d = half_at(scales + 2 * row);
    for (std::size_t at = 0; at < kKBlock; ++at) {
      const std::uint8_t* block = weights + at / kQuantBlock * kBlockBytes;
      const std::size_t k = at % kQuantBlock;
      const unsigned upper =
          (static_cast<unsigned>(block[upper_place(row, k)]) >> upper_shift(k)) & 3u;
      const int q = static_cast<int>(nibble(block, row, k) | upper << 4) - 32;
      const auto scale =
          static_cast<std::int8_t>(scales[kQ6KPackedScalesAt + at / 16 * kPackedRows + row]);
      out[at] = d * static_cast<float>(scale) * static_cast<float>(q);
    }
  }
};

template <class Format>
void pack_units(const std::uint8_t* source, std::size_t blocks, std::size_t row,
                std::uint8_t* weights, std::uint8_t* scales) {
  constexpr PackedLayout kLayout = packed_layout(Format::kType);
  for (std::size_t b = 0; b < blocks; b += kLayout.unit_blocks) {
    Format::pack(source, row, weights + b * kLayout.block_bytes, scales);
    source += block_bytes(Format::kType);
    scales += kLayout.unit_bytes;
  }
}

template <class Format>
void unpack_units(const std::uint8_t* weights, const std::uint8_t* scales, std::size_t blocks,
                  std::size_t row, float* out) {
  constexpr PackedLayout kLayout = packed_layout(Format::kType);
  for (std::size_t b = 0; b < blocks; b += kLayout.unit_blocks) {
    Format::unpack(weights + b * kLayout.block_bytes, scales, row, out + b * kQuantBlock);
    scales += kLayout.unit_bytes;
  }
}

}  // namespace

void pack_row(DType type, const std::uint8_t* source, std::size_t blocks, std::size_t row,
              std::uint8_t* weights, std::uint8_t* scales) {
  switch (type) {
    case DType::kQ8_0:
      return pack_units<Q8_0>(source, blocks, row, weights, scales);
    case DType::kQ4_0:
      return pack_units<Q4_0>(source, blocks, row, weights, scales);
    case DType::kQ4_K:
      return pack_units<WithMinimum<DType::kQ4_K>>(source, blocks, row, weights, scales);
    case DType::kQ5_K:
      return pack_units<WithMinimum<DType::kQ5_K>>(source, blocks, row, weights, scales);
    case DType::kQ6_K:
      return pack_units<Q6_K>(source, blocks, row, weights, scales);
    case DType::kF32:
    case DType::kF16:
    case DType::kBF16:
      break;
  }
  assert(false && "only types that can_pack");
}

void unpack_row(DType type, const std::uint8_t* weights, const std::uint8_t* scales,
                std::size_t blocks, std::size_t row, float* out) {
  switch (type) {
    case DType::kQ8_0:
      return unpack_units<Q8_0>(weights, scales, blocks, row, out);
    case DType::kQ4_0:
      return unpack_units<Q4_0>(weights, scales, blocks, row, out);
    case DType::kQ4_K:
      return unpack_units<WithMinimum<DType::kQ4_K>>(weights, scales, blocks, row, out);
    case DType::kQ5_K:
      return unpack_units<WithMinimum<DType::kQ5_K>>(weights, scales, blocks, row, out);
    case DType::kQ6_K:
      return unpack_units<Q6_K>(weights, scales, blocks, row, out);
    case DType::kF32:
    case DType::kF16:
    case DType::kBF16:
      break;
  }
  assert(false && "only types that can_pack");
}

}  // namespace laconic
