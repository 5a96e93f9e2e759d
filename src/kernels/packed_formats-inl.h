// SPDX-License-Identifier: Apache-2.0
// Packed types as the tile sees them (packed_layout.h says where the bytes are). A format gives
// quads 2i and 2i + 1 of a block as biased bytes, and the scales of a block's parts as f32.
//
// Included inside the namespace of a SIMD target, as packed_dot-inl.h.

HWY_INLINE QuadV load_line(const std::uint8_t* line, std::size_t part) {
  return hn::Load(U32(), reinterpret_cast<const std::uint32_t*>(line + part * kPartBytes));
}

// 16 rows' f16, the part's rows of them.
HWY_INLINE V load_halves(const std::uint8_t* halves, std::size_t part) {
  return f32_from_f16(
      hn::LoadU(U16(), reinterpret_cast<const std::uint16_t*>(halves) + part * kLanes));
}

// Bits of every byte: the mask drops what a shift brings in from the neighbour.
HWY_INLINE QuadV and_bytes(QuadV quads, std::uint32_t mask) {
  return hn::And(quads, hn::Set(U32(), mask * 0x01010101u));
}

struct PackedQ8_0 {
  static constexpr DType kType = DType::kQ8_0;
  static constexpr int kBias = 128;
  static constexpr std::size_t kSums = 1;  // of a block, each with its own scale
  static constexpr bool kMinimum = false;

  static HWY_INLINE std::int32_t offset(const QuantizedBlock& x, std::size_t row, std::size_t) {
    return x.offsets_128[row];
  }

  template <std::size_t i>
  static HWY_INLINE void quads(const std::uint8_t* block, std::size_t part, QuadV& w0, QuadV& w1) {
    w0 = load_line(block + 2 * i * kLineBytes, part);
    w1 = load_line(block + (2 * i + 1) * kLineBytes, part);
  }
  static HWY_INLINE V scale(const std::uint8_t* unit, std::size_t, std::size_t part) {
    return load_halves(unit, part);
  }
};

struct PackedQ4_0 {
  static constexpr DType kType = DType::kQ4_0;
  static constexpr int kBias = 8;
  static constexpr std::size_t kSums = 1;
  static constexpr bool kMinimum = false;

  static HWY_INLINE std::int32_t offset(const QuantizedBlock& x, std::size_t row, std::size_t) {
    return x.offsets_8[row];
  }

  template <std::size_t i>
  static HWY_INLINE void quads(const std::uint8_t* block, std::size_t part, QuadV& w0, QuadV& w1) {
    const QuadV line = load_line(block + i * kLineBytes, part);
    w0 = and_bytes(line, 15);
    w1 = and_bytes(hn::ShiftRight<4>(line), 15);
  }
  static HWY_INLINE V scale(const std::uint8_t* unit, std::size_t, std::size_t part) {
    return load_halves(unit, part);
  }
};
