// SPDX-License-Identifier: Apache-2.0
// Random bits out of keys: SplitMix64 (Steele, Lea and Flood 2014) without its state.
//
// Promises the same values on every machine, for ever: weights, tokens and evictions that a seed
// names depend on them. A draw is a function of its key, never of what was drawn before. Nothing
// here is cryptographic.
#pragma once

#include <cstdint>
#include <initializer_list>

namespace laconic {

// 2^64 over the golden ratio, odd: draw number i of a key is mix_bits(key + i * kMixStep).
inline constexpr std::uint64_t kMixStep = 0x9e3779b97f4a7c15u;

// SplitMix64's output function: a bijection that mixes all bits.
constexpr std::uint64_t mix_bits(std::uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

// One key out of several words, whose order counts.
constexpr std::uint64_t mix_key(std::initializer_list<std::uint64_t> words) {
  std::uint64_t key = 0;
  for (const std::uint64_t word : words) key = mix_bits((key ^ word) + kMixStep);
  return key;
}

}  // namespace laconic
