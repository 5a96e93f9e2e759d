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

// A unit's f16 of each row times a small integer of each row, which is exact.
HWY_INLINE V scaled(const std::uint8_t* halves, IntV integers, std::size_t part) {
  return hn::Mul(load_halves(halves, part), hn::ConvertTo(F32(), integers));
}

// The scales and minima of q4_k and q5_k.
struct PackedWithMinimum {
  static constexpr int kBias = 0;
  static constexpr std::size_t kSums = 1;
  static constexpr bool kMinimum = true;

  static HWY_INLINE std::int32_t offset(const QuantizedBlock&, std::size_t, std::size_t) {
    return 0;
  }
  static HWY_INLINE V scale(const std::uint8_t* unit, std::size_t block, std::size_t part) {
    const std::uint8_t* scales = unit + kKPackedScalesAt + block * kPackedRows;
    return scaled(unit, load_bytes(scales + part * kLanes), part);
  }
  static HWY_INLINE V minimum(const std::uint8_t* unit, std::size_t block, std::size_t part) {
    const std::uint8_t* minima = unit + kKPackedMinimaAt + block * kPackedRows;
    return scaled(unit + kKPackedMinimumAt, load_bytes(minima + part * kLanes), part);
  }
};

struct PackedQ4_K : PackedWithMinimum {
  static constexpr DType kType = DType::kQ4_K;

  template <std::size_t i>
  static HWY_INLINE void quads(const std::uint8_t* block, std::size_t part, QuadV& w0, QuadV& w1) {
    PackedQ4_0::quads<i>(block, part, w0, w1);
  }
};

// Bits [kFrom, ..) of every byte moved to [kTo, ..), of which the mask keeps some.
template <int kFrom, int kTo>
HWY_INLINE QuadV move_bits(QuadV quads, std::uint32_t mask) {
  if constexpr (kFrom > kTo) return and_bytes(hn::ShiftRight<kFrom - kTo>(quads), mask);
  if constexpr (kFrom < kTo) return and_bytes(hn::ShiftLeft<kTo - kFrom>(quads), mask);
  return and_bytes(quads, mask);
}

struct PackedQ5_K : PackedWithMinimum {
  static constexpr DType kType = DType::kQ5_K;

  template <std::size_t i>
  static HWY_INLINE void quads(const std::uint8_t* block, std::size_t part, QuadV& w0, QuadV& w1) {
    PackedQ4_0::quads<i>(block, part, w0, w1);
    const QuadV bits = load_line(block + kUpperBitsAt, part);
    w0 = hn::Or(w0, move_bits<2 * i, 4>(bits, 1 << 4));
    w1 = hn::Or(w1, move_bits<2 * i + 1, 4>(bits, 1 << 4));
  }
};

struct PackedQ6_K {
  static constexpr DType kType = DType::kQ6_K;
  static constexpr int kBias = 32;
  static constexpr std::size_t kSums = 2;
  static constexpr bool kMinimum = false;

  static HWY_INLINE std::int32_t offset(const QuantizedBlock& x, std::size_t row,
                                        std::size_t half) {
    return x.offsets_32[half][row];
  }
  template <std::size_t i>
  static HWY_INLINE void quads(const std::uint8_t* block, std::size_t part, QuadV& w0, QuadV& w1) {
    PackedQ4_0::quads<i>(block, part, w0, w1);
    const QuadV bits = load_line(block + kUpperBitsAt + i / 2 * kLineBytes, part);
    w0 = hn::Or(w0, move_bits<i % 2 * 4, 4>(bits, 3 << 4));
    w1 = hn::Or(w1, move_bits<i % 2 * 4 + 2, 4>(bits, 3 << 4));
  }
  // `half` counts the half blocks of a unit.
  static HWY_INLINE V scale(const std::uint8_t* unit, std::size_t half, std::size_t part) {
    const std::uint8_t* scales = unit + kQ6KPackedScalesAt + half * kPackedRows + part * kLanes;
    const auto bytes = hn::LoadU(I8(), reinterpret_cast<const std::int8_t*>(scales));
    return scaled(unit, hn::PromoteTo(I32(), bytes), part);
  }
};
