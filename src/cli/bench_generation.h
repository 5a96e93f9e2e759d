// SPDX-License-Identifier: Apache-2.0
// Speed along a whole answer: tokens per second from its first token to its 1024th, 2048th, ...
//
// Every step of the answer happens: rows are appended, the schedule triggers, rows are ranked and
// moved, and that is timed. With `points` K the model itself runs at K places only; elsewhere
// random rows and queries stand in for it. A step's time depends on the bytes of the rows that it
// reads, so the time of the others is read off a line through the measured points.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "cli/bench.h"

namespace laconic::cli {

struct GenerationTest {
  std::size_t batch = 1, prompt = 0, generate = 0;
  std::size_t points = 0;  // 0: the model runs at every step
};

// Where the model ran: some steps behind `generated`, their median time, and the bytes of rows that
// they read on average.
struct GenerationStop {
  std::size_t generated = 0;
  double bytes = 0, seconds = 0;
};

// The answer from its first token to its `generated`-th, all sequences together.
struct GenerationMark {
  std::size_t generated = 0;
  std::size_t needed_bytes = 0;  // of pages and blocks at their peak, by the policy's law
  bool fits = false;             // else the rest is 0
  double seconds = 0, compression_seconds = 0;
  double mean_bytes = 0, peak_bytes = 0;  // of rows that steps read
};

struct GenerationResult {
  GenerationTest test;
  std::size_t free_bytes = 0;  // memory that the cache could take
  std::vector<GenerationStop> stops;
  std::vector<GenerationMark> marks;
};

// 1024 and its doubles below `generate`, and `generate`.
std::vector<std::size_t> generation_marks(std::size_t generate);

// Error(kUsage) where prompt and answer are longer than the model's context, or the budget cannot
// hold the prompt that it must keep. What does not fit into memory is left out: its marks say so.
GenerationResult run_generation(const Weights& weights, Threads& threads, const KvOptions& kv,
                                const GenerationTest& test);

std::string generation_report(BenchFormat format, const BenchContext& context,
                              const std::vector<GenerationResult>& results);

}  // namespace laconic::cli
