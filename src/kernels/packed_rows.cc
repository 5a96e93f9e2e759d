// SPDX-License-Identifier: Apache-2.0
#include "kernels/packed_rows.h"

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

// The bytes of a quad as one number, for what is done to each of them alike. Shifts stay within the
// bytes where they are used, so that the byte order does not matter.
std::uint32_t load_quad(const std::uint8_t* p) {
  std::uint32_t quad;
  std::memcpy(&quad, p, sizeof(quad));
  return quad;
}

void store_quad(std::uint32_t quad, std::uint8_t* line, std::size_t row) {
  std::memcpy(line + place(row, 0), &quad, sizeof(quad));
}

constexpr std::uint32_t in_each_byte(std::uint32_t bits) { return bits * 0x01010101u; }

struct Q8_0 {
  static constexpr DType kType = DType::kQ8_0;

  static void pack(const std::uint8_t* source, std::size_t row, std::uint8_t* weights,
                   std::uint8_t* scales) {
    std::memcpy(scales + 2 * row, source, 2);
    for (std::size_t quad = 0; quad < kQuadsPerBlock; ++quad) {
      const std::uint32_t biased = load_quad(source + 2 + 4 * quad) ^ in_each_byte(0x80);
      store_quad(biased, weights + quad * kLineBytes, row);
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

// The lower four bits of 32 weights.
void store_nibbles(const std::uint8_t* q, std::uint8_t* block, std::size_t row) {
  for (std::size_t j = 0; j < kQuadsPerBlock / 2; ++j) {
    const std::uint32_t low = load_quad(q + 8 * j) & in_each_byte(15);
    const std::uint32_t high = load_quad(q + 8 * j + 4) & in_each_byte(15);
    store_quad(low | high << 4, block + j * kLineBytes, row);
  }
}

// The bits above those, kBits of each weight, as many quads to a line as a byte has room for.
template <unsigned kBits>
void store_upper_bits(const std::uint8_t* q, std::uint8_t* block, std::size_t row) {
  constexpr std::size_t kQuadsPerLine = 8 / kBits;
  for (std::size_t first = 0; first < kQuadsPerBlock; first += kQuadsPerLine) {
    std::uint32_t bits = 0;
    for (std::size_t j = 0; j < kQuadsPerLine; ++j) {
      const std::uint32_t upper = load_quad(q + 4 * (first + j)) >> 4;
      bits |= (upper & in_each_byte((1u << kBits) - 1)) << kBits * j;
    }
    store_quad(bits, block + kUpperBitsAt + first / kQuadsPerLine * kLineBytes, row);
  }
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
    std::uint8_t q[kQuantBlock];
    for (std::size_t k = 0; k < kQuantBlock / 2; ++k) {
      q[k] = source[2 + k] & 15u;
      q[k + kQuantBlock / 2] = source[2 + k] >> 4;
    }
    store_nibbles(q, weights, row);
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
    for (std::size_t b = 0; b < kKBlock / kQuantBlock; ++b) {
      // As q4_k_value and q5_k_value, in loops that compilers turn into vectors.
      const std::uint8_t* nibbles =
          source + (kFifthBit ? kQ5KNibblesAt : kQ4KNibblesAt) + b / 2 * kQuantBlock;
      std::uint8_t q[kQuantBlock];
      for (std::size_t k = 0; k < kQuantBlock; ++k) {
        unsigned value = (static_cast<unsigned>(nibbles[k]) >> (b % 2 * 4)) & 15u;
        if (kFifthBit) value |= ((static_cast<unsigned>(source[kQ5KBitsAt + k]) >> b) & 1u) << 4;
        q[k] = static_cast<std::uint8_t>(value);
      }
      std::uint8_t* block = weights + b * kBlockBytes;
      store_nibbles(q, block, row);
      if constexpr (kFifthBit) store_upper_bits<1>(q, block, row);
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
    for (std::size_t b = 0; b < kKBlock / kQuantBlock; ++b) {
      // As q6_k_value, in a loop that compilers turn into vectors.
      const std::size_t quarter = b % 4;
      const std::uint8_t* nibbles = source + (b / 4 * 2 + quarter % 2) * kQuantBlock;
      const std::uint8_t* upper = source + kQ6KBitsAt + b / 4 * kQuantBlock;
      std::uint8_t q[kQuantBlock];
      for (std::size_t k = 0; k < kQuantBlock; ++k) {
        const unsigned low = (static_cast<unsigned>(nibbles[k]) >> (quarter / 2 * 4)) & 15u;
        const unsigned high = (static_cast<unsigned>(upper[k]) >> (2 * quarter)) & 3u;
        q[k] = static_cast<std::uint8_t>(low | high << 4);
      }
      std::uint8_t* block = weights + b * kBlockBytes;
      store_nibbles(q, block, row);
      store_upper_bits<2>(q, block, row);
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

// f32, f16 and bf16: element (row, k) as bits, [column][row] or [row][column] within a block.
template <typename Bits, bool kRowsFirst>
struct Plain {
  static constexpr std::size_t place(std::size_t row, std::size_t k) {
    const std::size_t in_block = kRowsFirst ? row * 2 + k % 2 : k % 2 * kPackedRows + row;
    return (k / 2 * 2 * kPackedRows + in_block) * sizeof(Bits);
  }
  static void pack(const std::uint8_t* source, std::size_t cols, std::size_t row,
                   std::uint8_t* weights) {
    for (std::size_t k = 0; k < cols; ++k) {
      std::memcpy(weights + place(row, k), source + k * sizeof(Bits), sizeof(Bits));
    }
  }
  template <typename Widen>
  static void unpack(const std::uint8_t* weights, std::size_t cols, std::size_t row, float* out,
                     Widen widen) {
    for (std::size_t k = 0; k < cols; ++k) {
      Bits bits;
      std::memcpy(&bits, weights + place(row, k), sizeof(bits));
      out[k] = widen(bits);
    }
  }
};

using F32 = Plain<float, false>;
using F16 = Plain<std::uint16_t, false>;
using BF16 = Plain<std::uint16_t, true>;

template <class Format>
void pack_units(const std::uint8_t* source, std::size_t cols, std::size_t row,
                std::uint8_t* weights, std::uint8_t* scales) {
  constexpr PackedLayout kLayout = packed_layout(Format::kType);
  for (std::size_t b = 0; b < cols / kQuantBlock; b += kLayout.unit_blocks) {
    Format::pack(source, row, weights + b * kLayout.block_bytes, scales);
    source += block_bytes(Format::kType);
    scales += kLayout.unit_bytes;
  }
}

template <class Format>
void unpack_units(const std::uint8_t* weights, const std::uint8_t* scales, std::size_t cols,
                  std::size_t row, float* out) {
  constexpr PackedLayout kLayout = packed_layout(Format::kType);
  for (std::size_t b = 0; b < cols / kQuantBlock; b += kLayout.unit_blocks) {
    Format::unpack(weights + b * kLayout.block_bytes, scales, row, out + b * kQuantBlock);
    scales += kLayout.unit_bytes;
  }
}

}  // namespace

void pack_row(DType type, const std::uint8_t* source, std::size_t cols, std::size_t row,
              std::uint8_t* weights, std::uint8_t* scales) {
  switch (type) {
    case DType::kQ8_0:
      return pack_units<Q8_0>(source, cols, row, weights, scales);
    case DType::kQ4_0:
      return pack_units<Q4_0>(source, cols, row, weights, scales);
    case DType::kQ4_K:
      return pack_units<WithMinimum<DType::kQ4_K>>(source, cols, row, weights, scales);
    case DType::kQ5_K:
      return pack_units<WithMinimum<DType::kQ5_K>>(source, cols, row, weights, scales);
    case DType::kQ6_K:
      return pack_units<Q6_K>(source, cols, row, weights, scales);
    case DType::kF32:
      return F32::pack(source, cols, row, weights);
    case DType::kF16:
      return F16::pack(source, cols, row, weights);
    case DType::kBF16:
      return BF16::pack(source, cols, row, weights);
  }
}

void unpack_row(DType type, const std::uint8_t* weights, const std::uint8_t* scales,
                std::size_t cols, std::size_t row, float* out) {
  switch (type) {
    case DType::kQ8_0:
      return unpack_units<Q8_0>(weights, scales, cols, row, out);
    case DType::kQ4_0:
      return unpack_units<Q4_0>(weights, scales, cols, row, out);
    case DType::kQ4_K:
      return unpack_units<WithMinimum<DType::kQ4_K>>(weights, scales, cols, row, out);
    case DType::kQ5_K:
      return unpack_units<WithMinimum<DType::kQ5_K>>(weights, scales, cols, row, out);
    case DType::kQ6_K:
      return unpack_units<Q6_K>(weights, scales, cols, row, out);
    case DType::kF32:
      return F32::unpack(weights, cols, row, out, [](float value) { return value; });
    case DType::kF16:
      return F16::unpack(weights, cols, row, out, float_from_f16);
    case DType::kBF16:
      return BF16::unpack(weights, cols, row, out, float_from_bf16);
  }
}

}  // namespace laconic
