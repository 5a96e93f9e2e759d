// SPDX-License-Identifier: Apache-2.0
// Integer dot products of quads: lane r of an int32 vector gathers the products of 4 weights of row
// r with 4 activations, exactly.
//
// Included inside the namespace of a SIMD target, under its attributes, by files that are compiled
// once per target. LACONIC_PACKED_VNNI is 1 where the attributes include AVX-512's VNNI.

using QuadV = hn::Vec<U32>;  // four weights in each lane, the first in the lowest byte
using IntV = hn::Vec<I32>;

// The vectors that hold a line, and the bytes of each.
inline constexpr std::size_t kParts = kPackedRows / kLanes;
inline constexpr std::size_t kPartBytes = 4 * kLanes;

// Four activations in every lane.
HWY_INLINE IntV broadcast_quad(const std::int8_t* x) {
  std::int32_t quad;
  std::memcpy(&quad, x, sizeof(quad));
  return hn::Set(I32(), quad);
}

#if LACONIC_PACKED_VNNI

// Biased weights: sums begin at -bias x the sum of the activations.
inline constexpr bool kSignedBytes = false;

template <int kBias>
HWY_INLINE IntV add_products(IntV sum, QuadV w0, QuadV w1, IntV x0, IntV x1) {
  const __m512i first = _mm512_dpbusd_epi32(sum.raw, w0.raw, x0.raw);
  return IntV{_mm512_dpbusd_epi32(first, w1.raw, x1.raw)};
}

#elif HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_SSE4

// vpmaddubsw adds two products of u8 and s8 in 16 bits. Weights up to 63 leave room for four of
// them, 4 x 63 x 127 < 2^15. Those of q8_0 go in as their magnitude, at most 128, with their sign
// moved to the activations, 2 x 128 x 127 < 2^15: no bias is left.
inline constexpr bool kSignedBytes = true;

#if HWY_TARGET == HWY_AVX3
HWY_INLINE QuadV magnitude(QuadV w) { return QuadV{_mm512_abs_epi8(w.raw)}; }
HWY_INLINE IntV with_sign_of(IntV x, QuadV w) {
  return IntV{
      _mm512_mask_sub_epi8(x.raw, _mm512_movepi8_mask(w.raw), _mm512_setzero_si512(), x.raw)};
}
HWY_INLINE IntV pair_products(QuadV w, IntV x) { return IntV{_mm512_maddubs_epi16(w.raw, x.raw)}; }
HWY_INLINE IntV add_words(IntV a, IntV b) { return IntV{_mm512_add_epi16(a.raw, b.raw)}; }
HWY_INLINE IntV sum_word_pairs(IntV a) {
  return IntV{_mm512_madd_epi16(a.raw, _mm512_set1_epi16(1))};
}
#elif HWY_TARGET == HWY_AVX2
HWY_INLINE QuadV magnitude(QuadV w) { return QuadV{_mm256_abs_epi8(w.raw)}; }
HWY_INLINE IntV with_sign_of(IntV x, QuadV w) { return IntV{_mm256_sign_epi8(x.raw, w.raw)}; }
HWY_INLINE IntV pair_products(QuadV w, IntV x) { return IntV{_mm256_maddubs_epi16(w.raw, x.raw)}; }
HWY_INLINE IntV add_words(IntV a, IntV b) { return IntV{_mm256_add_epi16(a.raw, b.raw)}; }
HWY_INLINE IntV sum_word_pairs(IntV a) {
  return IntV{_mm256_madd_epi16(a.raw, _mm256_set1_epi16(1))};
}
#else
HWY_INLINE QuadV magnitude(QuadV w) { return QuadV{_mm_abs_epi8(w.raw)}; }
HWY_INLINE IntV with_sign_of(IntV x, QuadV w) { return IntV{_mm_sign_epi8(x.raw, w.raw)}; }
HWY_INLINE IntV pair_products(QuadV w, IntV x) { return IntV{_mm_maddubs_epi16(w.raw, x.raw)}; }
HWY_INLINE IntV add_words(IntV a, IntV b) { return IntV{_mm_add_epi16(a.raw, b.raw)}; }
HWY_INLINE IntV sum_word_pairs(IntV a) { return IntV{_mm_madd_epi16(a.raw, _mm_set1_epi16(1))}; }
#endif

template <int kBias>
HWY_INLINE IntV add_products(IntV sum, QuadV w0, QuadV w1, IntV x0, IntV x1) {
  if constexpr (kBias == 128) {
    const QuadV bias = hn::Set(U32(), 0x80808080u);
    const QuadV s0 = hn::Xor(w0, bias);
    const QuadV s1 = hn::Xor(w1, bias);
    const IntV p0 = sum_word_pairs(pair_products(magnitude(s0), with_sign_of(x0, s0)));
    const IntV p1 = sum_word_pairs(pair_products(magnitude(s1), with_sign_of(x1, s1)));
    return hn::Add(sum, hn::Add(p0, p1));
  } else {
    const IntV words = add_words(pair_products(w0, x0), pair_products(w1, x1));
    return hn::Add(sum, sum_word_pairs(words));
  }
}

#else

inline constexpr bool kSignedBytes = false;

// Column kColumn of the quads.
template <int kColumn>
HWY_INLINE IntV column_products(QuadV w, IntV x) {
  const QuadV weight = hn::And(hn::ShiftRight<8 * kColumn>(w), hn::Set(U32(), 255));
  const QuadV high = hn::ShiftLeft<24 - 8 * kColumn>(hn::BitCast(U32(), x));
  return hn::Mul(hn::BitCast(I32(), weight), hn::ShiftRight<24>(hn::BitCast(I32(), high)));
}

HWY_INLINE IntV quad_products(QuadV w, IntV x) {
  return hn::Add(hn::Add(column_products<0>(w, x), column_products<1>(w, x)),
                 hn::Add(column_products<2>(w, x), column_products<3>(w, x)));
}

template <int kBias>
HWY_INLINE IntV add_products(IntV sum, QuadV w0, QuadV w1, IntV x0, IntV x1) {
  return hn::Add(sum, hn::Add(quad_products(w0, x0), quad_products(w1, x1)));
}

#endif
