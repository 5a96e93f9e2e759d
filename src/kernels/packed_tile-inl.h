// SPDX-License-Identifier: Apache-2.0
// The tile: a group of rows times kX activation rows, and the loops around it.
//
// Included inside the namespace of a SIMD target, after packed_dot-inl.h and packed_formats-inl.h.

// A tile is one function. Instrumented by a sanitizer it would take clang minutes to compile.
#undef LACONIC_TILE_INLINE
#if HWY_IS_ASAN || HWY_IS_MSAN || HWY_IS_TSAN
#define LACONIC_TILE_INLINE HWY_NOINLINE
#else
#define LACONIC_TILE_INLINE HWY_INLINE
#endif

// Activation rows of the fastest tile. With 32 registers: 12 integer sums, 12 sums of f32, a pair
// of weights and the operands; with 16 registers 4 of each.
inline constexpr std::size_t kWidestTile = kManyRegisters ? 12 : 4;

// Activation rows that go through memory once. 16 sums of f32 leave registers for 8 integer sums:
// the tile goes over a block's line twice, which costs prompts 3 %, and saves a batch of 13 to 16 a
// second pass over the weights with little to do and memory idle.
inline constexpr std::size_t kOnePassRows = kManyRegisters ? 16 : 4;

// Rows whose integer sums are made at once.
template <std::size_t kX>
inline constexpr std::size_t kRowsAtOnce = kX > kWidestTile ? kX / 2 : kX;

// The activation rows of a tile, at one block: row t is lane t % 4 of quad t / 4.
template <std::size_t kX>
struct TileRows {
  static constexpr std::size_t kQuads = (kX + kRowsAbreast - 1) / kRowsAbreast;
  const QuantizedBlock* quads[kQuads];

  HWY_INLINE const QuantizedBlock& at(std::size_t t) const { return *quads[t / kRowsAbreast]; }
};

// Adds quads 2i and 2i + 1 of a block to the sums of one part and rows from kFrom on.
template <class Format, std::size_t i, std::size_t kFrom, std::size_t kX, std::size_t kCount>
LACONIC_TILE_INLINE void add_pair(const std::uint8_t* block, const TileRows<kX>& x,
                                  std::size_t part, IntV (&sum)[kCount]) {
  QuadV w0;
  QuadV w1;
  Format::template quads<i>(block, part, w0, w1);
  for (std::size_t t = 0; t < kCount; ++t) {
    const std::int8_t* values = x.at(kFrom + t).values[(kFrom + t) % kRowsAbreast] + 8 * i;
    const IntV x0 = broadcast_quad(values);
    const IntV x1 = broadcast_quad(values + 4);
    sum[t] = add_products<Format::kBias>(sum[t], w0, w1, x0, x1);
  }
}

// One of a block's integer sums (q6_k has one for each half), then its share of the f32 sums of
// rows [kFrom, kFrom + kRowsAtOnce).
template <class Format, std::size_t kSum, std::size_t kFrom, std::size_t kX>
LACONIC_TILE_INLINE void add_sum(const std::uint8_t* block, const std::uint8_t* unit,
                                 std::size_t block_of_unit, const TileRows<kX>& x, std::size_t part,
                                 V (&acc)[kX]) {
  constexpr bool kOffsets = Format::kBias != 0 && !(kSignedBytes && Format::kBias == 128);
  constexpr std::size_t kCount = kRowsAtOnce<kX>;
  IntV sum[kCount];
  for (std::size_t i = 0; i < kCount; ++i) {
    const std::size_t t = kFrom + i;
    sum[i] = kOffsets ? hn::Set(I32(), Format::offset(x.at(t), t % kRowsAbreast, kSum))
                      : hn::Zero(I32());
  }
  if constexpr (Format::kSums == 1 || kSum == 0) {
    add_pair<Format, 0, kFrom>(block, x, part, sum);
    add_pair<Format, 1, kFrom>(block, x, part, sum);
  }
  if constexpr (Format::kSums == 1 || kSum == 1) {
    add_pair<Format, 2, kFrom>(block, x, part, sum);
    add_pair<Format, 3, kFrom>(block, x, part, sum);
  }
  const V scale = Format::scale(unit, block_of_unit * Format::kSums + kSum, part);
  for (std::size_t i = 0; i < kCount; ++i) {
    const std::size_t t = kFrom + i;
    const V both = hn::Mul(scale, hn::Set(F32(), x.at(t).scales[t % kRowsAbreast]));
    acc[t] = hn::MulAdd(hn::ConvertTo(F32(), sum[i]), both, acc[t]);
  }
}

// All integer sums of rows from kFrom on.
template <class Format, std::size_t kFrom, std::size_t kX>
HWY_INLINE void add_sums(const std::uint8_t* block, const std::uint8_t* unit,
                         std::size_t block_of_unit, const TileRows<kX>& x, std::size_t part,
                         V (&acc)[kX]) {
  add_sum<Format, 0, kFrom>(block, unit, block_of_unit, x, part, acc);
  if constexpr (Format::kSums == 2) {
    add_sum<Format, 1, kFrom>(block, unit, block_of_unit, x, part, acc);
  }
  if constexpr (kFrom + kRowsAtOnce<kX> < kX) {
    add_sums<Format, kFrom + kRowsAtOnce<kX>>(block, unit, block_of_unit, x, part, acc);
  }
}

// Parts [first_part, first_part + kAtOnce) of the lines.
template <class Format, std::size_t kX, std::size_t kAtOnce>
HWY_INLINE void add_block(const std::uint8_t* block, const std::uint8_t* unit,
                          std::size_t block_of_unit, const TileRows<kX>& x, std::size_t first_part,
                          V (&acc)[kAtOnce][kX]) {
  for (std::size_t p = 0; p < kAtOnce; ++p) {
    const std::size_t part = first_part + p;
    add_sums<Format, 0>(block, unit, block_of_unit, x, part, acc[p]);
    if constexpr (Format::kMinimum) {
      const V minimum = Format::minimum(unit, block_of_unit, part);
      for (std::size_t t = 0; t < kX; ++t) {
        const V weighted = hn::Set(F32(), x.at(t).weighted_sums[t % kRowsAbreast]);
        acc[p][t] = hn::NegMulAdd(minimum, weighted, acc[p][t]);
      }
    }
  }
}

// Parts of a line that a tile takes at once: all of them for one activation row or two, to go
// through memory once; more rows leave no registers for the sums, and find the line in the cache.
template <std::size_t kX>
inline constexpr std::size_t kPartsAtOnce = kX* kParts <= 4 ? kParts : 1;

// Rows of a group, of which the lines' parts from first_part on, times activation rows
// [first, first + kX), as far as there are so many: what lies in their place, up to whole quads, is
// multiplied and dropped. PRECONDITION: first is a multiple of kRowsAbreast.
template <class Format, std::size_t kX>
HWY_NOINLINE void packed_tile(const PackedArguments& a, std::size_t group, std::size_t first,
                              std::size_t first_part) {
  constexpr PackedLayout kLayout = packed_layout(Format::kType);
  const PackedGroup of_group = packed_group(Format::kType, a.w.cols);
  const std::size_t blocks = of_group.blocks;
  const std::size_t units = blocks / kLayout.unit_blocks;
  const std::uint8_t* w = a.w.weights + group * of_group.weights;
  const std::uint8_t* s = a.w.scales + group * of_group.scales;
  V acc[kPartsAtOnce<kX>][kX];
  for (auto& part : acc) {
    for (V& sum : part) sum = hn::Zero(F32());
  }
  TileRows<kX> x;
  for (std::size_t q = 0; q < x.kQuads; ++q) {
    x.quads[q] = a.x.blocks + (first / kRowsAbreast + q) * blocks;
  }
  const bool from_memory = first == 0 && first_part == 0;
  for (std::size_t unit = 0; unit < units; ++unit) {
    for (std::size_t b = 0; b < kLayout.unit_blocks; ++b) {
      for (std::size_t line = 0; from_memory && line < kLayout.block_bytes; line += kLineBytes) {
        hwy::Prefetch(w + kLookAheadBytes + line);
      }
      add_block<Format>(w, s, b, x, first_part, acc);
      w += kLayout.block_bytes;
      for (const QuantizedBlock*& quad : x.quads) ++quad;
    }
    s += kLayout.unit_bytes;
  }
  for (std::size_t p = 0; p < kPartsAtOnce<kX>; ++p) {
    const std::size_t out = group * kPackedRows + (first_part + p) * kLanes;
    if (out >= a.w.rows) break;
    const std::size_t count = std::min(kLanes, a.w.rows - out);
    for (std::size_t t = 0; t < kX && first + t < a.x.n; ++t) {
      float* y = a.y + (first + t) * a.y_stride + out;
      if (count == kLanes) {
        hn::StoreU(acc[p][t], F32(), y);
      } else {
        store_partial(acc[p][t], y, count);
      }
    }
  }
}

// Groups [begin, end) times kX activation rows.
template <class Format, std::size_t kX>
HWY_INLINE void packed_tiles(const PackedArguments& a, std::size_t begin, std::size_t end,
                             std::size_t first) {
  for (std::size_t group = begin; group < end; ++group) {
    for (std::size_t part = 0; part < kParts; part += kPartsAtOnce<kX>) {
      packed_tile<Format, kX>(a, group, first, part);
    }
  }
}

// The last activation rows, at most kOnePassRows, rounded up to a whole tile: weights are read once
// rather than once for each of several narrow tiles.
template <class Format>
HWY_INLINE void packed_rest(const PackedArguments& a, std::size_t begin, std::size_t end,
                            std::size_t first) {
  const std::size_t rows = a.x.n - first;
  if (rows == 1) return packed_tiles<Format, 1>(a, begin, end, first);
  // Both parts of a line at once, where four rows would take them one after the other.
  if constexpr (kParts == 2) {
    if (rows == 2) return packed_tiles<Format, 2>(a, begin, end, first);
  }
  if (rows <= 4) return packed_tiles<Format, 4>(a, begin, end, first);
  if constexpr (kOnePassRows > 4) {
    if (rows <= 8) return packed_tiles<Format, 8>(a, begin, end, first);
    if (rows <= 12) return packed_tiles<Format, 12>(a, begin, end, first);
    packed_tiles<Format, 16>(a, begin, end, first);
  }
}

template <class Format>
HWY_INLINE void packed_range(const PackedArguments& a, std::size_t begin, std::size_t end) {
  const std::size_t group_bytes =
      std::max<std::size_t>(packed_group(Format::kType, a.w.cols).weights, 1);
  const std::size_t chunk = std::max<std::size_t>(kChunkBytes / group_bytes, 1);
  for (std::size_t group = begin; group < end; group += chunk) {
    const std::size_t stop = std::min(end, group + chunk);
    std::size_t first = 0;
    for (; a.x.n - first > kOnePassRows; first += kWidestTile) {
      packed_tiles<Format, kWidestTile>(a, group, stop, first);
    }
    packed_rest<Format>(a, group, stop, first);
  }
}

void packed_range_of_type(const PackedArguments& a, std::size_t begin, std::size_t end) {
  switch (a.w.type) {
    case DType::kQ8_0:
      return packed_range<PackedQ8_0>(a, begin, end);
    case DType::kQ4_0:
      return packed_range<PackedQ4_0>(a, begin, end);
    case DType::kQ4_K:
      return packed_range<PackedQ4_K>(a, begin, end);
    case DType::kQ5_K:
      return packed_range<PackedQ5_K>(a, begin, end);
    case DType::kQ6_K:
      return packed_range<PackedQ6_K>(a, begin, end);
    case DType::kF32:
    case DType::kF16:
    case DType::kBF16:
      break;
  }
  assert(false && "only types of blocks");
}
