// SPDX-License-Identifier: Apache-2.0
// What one parallel_for costs, outside of a team and within one: without work, and where each call
// reads some KiB from the cache as a small matrix product does. LACONIC_BENCH_THREADS sets the
// team.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "base/threads.h"

namespace {

using namespace laconic;

enum class Where { kOutside, kInTeam, kStep };

// The jobs of one decode step: 28 layers with seven products each, one team for all.
constexpr std::int64_t kJobsOfStep = 28 * 7;

constexpr std::size_t kLine = 16;  // floats of a cache line, the least that a range reads

void measure(benchmark::State& state, Threads& threads, std::size_t kib, Where where) {
  const std::vector<float> values(std::max<std::size_t>(kib * 256, threads.size() * kLine), 1.0f);
  const std::size_t lines = kib == 0 ? threads.size() : values.size() / kLine;
  std::vector<float> sums(threads.size() * kLine);
  const auto job = [&] {
    threads.parallel_for(lines, 1, [&](std::size_t begin, std::size_t end, std::size_t thread) {
      float sum[kLine] = {};
      for (std::size_t line = begin; line < end; ++line) {
        for (std::size_t i = 0; i < kLine; ++i) sum[i] += values[line * kLine + i];
      }
      benchmark::DoNotOptimize(sum);
      sums[thread * kLine] = sum[0];
    });
  };
  if (where == Where::kOutside) {
    for (auto _ : state) job();
  } else if (where == Where::kInTeam) {
    threads.with_team([&] {
      for (auto _ : state) job();
    });
  } else {
    for (auto _ : state) {
      threads.with_team([&] {
        for (std::int64_t i = 0; i < kJobsOfStep; ++i) job();
      });
    }
  }
  using benchmark::Counter;
  const double jobs = static_cast<double>(state.iterations()) *
                      static_cast<double>(where == Where::kStep ? kJobsOfStep : 1);
  state.counters["per_job"] = Counter(jobs, Counter::kIsRate | Counter::kInvert);
}

void register_all(Threads& threads) {
  struct Place {
    const char* name;
    Where where;
  };
  for (const std::size_t kib : {0u, 16u, 128u, 1024u}) {
    for (const Place& place : {Place{"outside", Where::kOutside}, Place{"in_team", Where::kInTeam},
                               Place{"team_per_step", Where::kStep}}) {
      benchmark::RegisterBenchmark(fmt::format("{}_KiB/{}", kib, place.name).c_str(),
                                   [&threads, kib, where = place.where](benchmark::State& s) {
                                     measure(s, threads, kib, where);
                                   })
          ->UseRealTime();
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  const char* count = std::getenv("LACONIC_BENCH_THREADS");
  Threads threads(count == nullptr ? 0 : std::strtoul(count, nullptr, 10));
  fmt::print(stderr, "{} threads\n", threads.size());
  register_all(threads);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
