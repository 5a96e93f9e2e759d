// SPDX-License-Identifier: Apache-2.0
// Vectors of kLanes floats in the compilers' own vector extension. Included by cpu_*.cc alone,
// after kLanes and the target pragma: everything here has internal linkage and is inlined, so no
// copy compiled for one CPU can be linked into code for another. For the same reason nothing here
// calls templates of the standard library.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

namespace laconic::train {
namespace {

#define LACONIC_INLINE inline __attribute__((always_inline))

typedef float Floats __attribute__((vector_size(4 * kLanes)));
typedef std::int32_t Ints __attribute__((vector_size(4 * kLanes)));
typedef std::uint32_t Words __attribute__((vector_size(4 * kLanes)));
typedef std::uint16_t Halves __attribute__((vector_size(2 * kLanes)));

constexpr std::size_t round_to_lanes(std::size_t n) { return (n + kLanes - 1) / kLanes * kLanes; }

// x - 0 is x for every x, so this is one broadcast.
LACONIC_INLINE Floats splat(float x) { return x - Floats{}; }

LACONIC_INLINE Floats load(const float* p) {
  Floats v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}

LACONIC_INLINE void store(float* p, Floats v) { __builtin_memcpy(p, &v, sizeof v); }

// bf16 is the upper half of a float.
LACONIC_INLINE Floats load(const std::uint16_t* p) {
  Halves v;
  __builtin_memcpy(&v, p, sizeof v);
  return (Floats)(__builtin_convertvector(v, Words) << 16);
}

// To nearest even; a NaN stays one.
LACONIC_INLINE void store(std::uint16_t* p, Floats v) {
  const Words bits = (Words)v;
  const Words rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  const Words quiet = (bits >> 16) | 0x0040u;
  const Halves halves = __builtin_convertvector((v != v) ? quiet : rounded, Halves);
  __builtin_memcpy(p, &halves, sizeof halves);
}

// The first `count` (below kLanes) of a vector; the others read as `fill` and are not written.
template <typename T>
LACONIC_INLINE Floats load_some(const T* p, std::size_t count, float fill) {
  T all[kLanes] = {};
  for (std::size_t i = 0; i < count; ++i) all[i] = p[i];
  Floats v = load(all);
  for (std::size_t i = count; i < kLanes; ++i) v[i] = fill;
  return v;
}

template <typename T>
LACONIC_INLINE void store_some(T* p, Floats v, std::size_t count) {
  T all[kLanes];
  store(all, v);
  for (std::size_t i = 0; i < count; ++i) p[i] = all[i];
}

// body(i, load, store) for each vector of a row of n, the last one perhaps in part: load(p + i) and
// store(p + i, v) then leave out, or fill, the lanes past the end.
template <typename Body>
LACONIC_INLINE void for_each_vector(std::size_t n, Body body, float fill = 0.0f) {
  const auto load_all = [](const auto* p) __attribute__((always_inline)) { return load(p); };
  const auto store_all = [](auto* p, Floats v) __attribute__((always_inline)) { store(p, v); };
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) body(i, load_all, store_all);
  if (i == n) return;
  const std::size_t rest = n - i;
  body(
      i, [=](const auto* p) __attribute__((always_inline)) { return load_some(p, rest, fill); },
      [=](auto* p, Floats v) __attribute__((always_inline)) { store_some(p, v, rest); });
}

// 2^x for x up to 127.5, right to 1.5e-7 of the result: 0 below -126.5, NaN for NaN. The polynomial
// meets 2^f at 0 and at the Chebyshev nodes of [-1/2, 1/2]; its own error is 5e-9.
LACONIC_INLINE Floats exp2_of(Floats x) {
  x = x < -127.0f ? splat(-127.0f) : x;
  // Adding 1.5 * 2^23 leaves the nearest integer in the low bits of the sum.
  const Floats shifted = x + 12582912.0f;
  const Floats f = x - (shifted - 12582912.0f);
  const Ints exponent = ((Ints)shifted - (0x4b400000 - 127)) << 23;
  Floats p = splat(1.545316294e-04f);
  p = p * f + 1.339086336e-03f;
  p = p * f + 9.618082557e-03f;
  p = p * f + 5.550357114e-02f;
  p = p * f + 2.402265076e-01f;
  p = p * f + 6.931471880e-01f;
  p = p * f + 1.0f;
  return p * (Floats)exponent;
}

inline constexpr float kLog2E = 1.4426950408889634f;
inline constexpr float kLn2 = 0.6931471805599453f;

// lane i of the result is lane i ^ kStep of v.
template <std::size_t kStep, std::size_t... kLane>
LACONIC_INLINE Floats swap_lanes(Floats v, std::index_sequence<kLane...>) {
  return __builtin_shufflevector(v, v, static_cast<int>(kLane ^ kStep)...);
}

template <std::size_t kStep = kLanes / 2>
LACONIC_INLINE float sum_of_lanes(Floats v) {
  v += swap_lanes<kStep>(v, std::make_index_sequence<kLanes>());
  if constexpr (kStep > 1) return sum_of_lanes<kStep / 2>(v);
  return v[0];
}

template <std::size_t kStep = kLanes / 2>
LACONIC_INLINE float max_of_lanes(Floats v) {
  const Floats other = swap_lanes<kStep>(v, std::make_index_sequence<kLanes>());
  v = other > v ? other : v;
  if constexpr (kStep > 1) return max_of_lanes<kStep / 2>(v);
  return v[0];
}

// Exchanges the odd kStep-blocks of lanes of a with the even ones of b.
template <std::size_t kStep, std::size_t... kLane>
LACONIC_INLINE void exchange(Floats& a, Floats& b, std::index_sequence<kLane...>) {
  const Floats even = __builtin_shufflevector(
      a, b, static_cast<int>((kLane & kStep) != 0 ? kLanes + kLane - kStep : kLane)...);
  b = __builtin_shufflevector(
      a, b, static_cast<int>((kLane & kStep) != 0 ? kLanes + kLane : kLane + kStep)...);
  a = even;
}

// rows[i][j] becomes rows[j][i].
template <std::size_t kStep = kLanes / 2>
LACONIC_INLINE void transpose(Floats (&rows)[kLanes]) {
  for (std::size_t i = 0; i < kLanes; ++i)
    if ((i & kStep) == 0)
      exchange<kStep>(rows[i], rows[i + kStep], std::make_index_sequence<kLanes>());
  if constexpr (kStep > 1) transpose<kStep / 2>(rows);
}

}  // namespace
}  // namespace laconic::train
