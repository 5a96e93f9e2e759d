// SPDX-License-Identifier: Apache-2.0
// What the kernels run on: the SIMD target that dispatch chose, and the machine's read bandwidth.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "base/threads.h"

namespace laconic {

struct SimdTarget {
  std::string name;                    // Highway's name of the chosen target, or "AVX3_VNNI"
  std::vector<std::string> features;   // sub-level the CPU has, e.g. "avx512vnni", "avx512bf16"
  std::vector<std::string> available;  // targets that this build and this CPU share
};

SimdTarget simd_target();

// Whether kernels that have a path with AVX-512's integer dot products take it: the target
// "AVX3_VNNI", which is Highway's AVX3 for all other kernels.
bool use_vnni();

// Restricts dispatch to one target by name (the LACONIC_SIMD environment variable of the tools).
// Error(kUsage) when the build or the CPU lacks it, naming what there is. Not while kernels run.
void force_simd_target(const std::string& name);

// Sequential read bandwidth of the team, probe by probe. Holds its buffer, so that probes can be
// spread over a run without touching new pages each time.
class BandwidthProbe {
 public:
  explicit BandwidthProbe(Threads& threads, std::size_t bytes = std::size_t{1} << 30);
  ~BandwidthProbe();
  BandwidthProbe(const BandwidthProbe&) = delete;
  BandwidthProbe& operator=(const BandwidthProbe&) = delete;

  double measure();  // bytes per second of one pass over the buffer

 private:
  struct Buffer;
  Threads& threads_;
  std::unique_ptr<Buffer> buffer_;
};

// Sequential read bandwidth in bytes per second: the median of `probes` passes over `bytes`.
double measure_read_bandwidth(Threads& threads, std::size_t bytes = std::size_t{1} << 30,
                              std::size_t probes = 5);

}  // namespace laconic
