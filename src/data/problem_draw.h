// SPDX-License-Identifier: Apache-2.0
// The random numbers of one problem: a stream fixed by its key, the same on every machine.
// Source: SplitMix64 (Steele, Lea and Flood 2014).
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <utility>
#include <vector>

#include "base/mix.h"

namespace laconic {

class ProblemDraw {
 public:
  explicit ProblemDraw(std::initializer_list<std::uint64_t> key) {
    for (const std::uint64_t part : key) state_ = mix_bits(state_ ^ mix_bits(part + kMixStep));
  }

  // A whole number in [low, high], both ends included. PRECONDITION: high - low < 2^32.
  std::int64_t between(std::int64_t low, std::int64_t high) {
    const auto range = static_cast<std::uint64_t>(high - low) + 1;
    return low + static_cast<std::int64_t>((next() >> 32) * range >> 32);
  }
  std::size_t below(std::size_t count) {
    return static_cast<std::size_t>(between(0, static_cast<std::int64_t>(count) - 1));
  }
  bool chance(int percent) { return between(1, 100) <= percent; }

  template <typename T>
  void shuffle(std::vector<T>& items) {
    for (std::size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[below(i)]);
  }

  // `count` different items in random order.
  template <typename T>
  std::vector<T> pick(std::span<const T> items, std::size_t count) {
    std::vector<T> all(items.begin(), items.end());
    shuffle(all);
    all.resize(count);
    return all;
  }

 private:
  std::uint64_t next() { return mix_bits(state_ += kMixStep); }

  std::uint64_t state_ = 0;
};

}  // namespace laconic
