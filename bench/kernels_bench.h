// SPDX-License-Identifier: Apache-2.0
// What the kernel benchmarks share: the machine, the counters, and a pool of weights that exceeds
// the caches.
#pragma once

#include <benchmark/benchmark.h>

#include <random>
#include <vector>

#include "kernels/system.h"

namespace laconic::bench {

inline constexpr std::size_t kPoolBytes = std::size_t{256} << 20;

struct Machine {
  Threads threads;
  double read_bandwidth;  // bytes per second
};

inline std::vector<float> random_floats(std::size_t n) {
  std::minstd_rand generator(1);
  std::vector<float> out(n);
  for (float& value : out) {
    value = static_cast<float>(generator() % 2001) / 1000.0f - 1.0f;
  }
  return out;
}

inline void report(benchmark::State& state, const Machine& machine, std::size_t bytes,
                   std::size_t flops) {
  using benchmark::Counter;
  const auto total = static_cast<double>(state.iterations());
  const double moved = static_cast<double>(bytes) * total;
  state.counters["GB/s"] = Counter(moved * 1e-9, Counter::kIsRate);
  state.counters["%read"] = Counter(100 * moved / machine.read_bandwidth, Counter::kIsRate);
  state.counters["GFLOP/s"] = Counter(static_cast<double>(flops) * total * 1e-9, Counter::kIsRate);
}

// Registers the products of packed matrices.
void register_packed(Machine& machine);

}  // namespace laconic::bench
