// SPDX-License-Identifier: Apache-2.0
// Kernels one by one: bytes per second, also as a share of the read bandwidth measured at the start
// of the same run, and floating point operations per second. LACONIC_BENCH_THREADS sets the team.
//
// Every iteration streams other weights than the last one, from a pool that exceeds the caches, as
// a model's layers do.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <numeric>
#include <string>
#include <vector>

#include "base/aligned.h"
#include "kernels/attention.h"
#include "kernels/elementwise.h"
#include "kernels/quantize.h"
#include "kernels_bench.h"

namespace {

using namespace laconic;
using namespace laconic::bench;

// Copies of one random matrix, enough of them to exceed the caches.
std::vector<std::byte> weight_pool(DType type, std::size_t rows, std::size_t cols) {
  const std::size_t bytes = rows * row_bytes(type, cols);
  std::vector<std::byte> pool(std::max<std::size_t>(kPoolBytes / bytes, 1) * bytes);
  const std::vector<float> row = random_floats(cols);
  quantize_row(type, row.data(), cols, pool.data());
  const std::size_t stride = row_bytes(type, cols);
  for (std::size_t at = stride; at < pool.size(); at += stride) {
    std::copy_n(pool.data(), stride, pool.data() + at);
  }
  return pool;
}

// What is asked of a head's rows.
enum class Asked { kOut, kOutAndWeights, kLogits };

// Where the rows lie: more of them than the caches hold, or one head's per thread.
enum class Rows { kInMemory, kInCache };

// One KV head per thread at a time, `heads` of them in all, each with its own pages.
void cache_attention(benchmark::State& state, Machine& machine, DType type, std::size_t rows,
                     std::size_t head_dim, std::vector<std::size_t> visible, Rows where,
                     Asked asked) {
  const std::size_t bytes = page_bytes(type, head_dim);
  const std::size_t pages = (rows + kPageRows - 1) / kPageRows;
  const std::size_t heads = where == Rows::kInCache
                                ? machine.threads.size()
                                : std::max<std::size_t>(kPoolBytes / (pages * bytes), 2);
  const std::size_t queries = visible.size();
  const std::vector<std::byte> pool = weight_pool(type, heads * pages * 2 * kPageRows, head_dim);
  std::vector<const std::byte*> table(heads * pages);
  // As an engine's pool gives them out: heads take pages in turn, so none lies behind the last one.
  for (std::size_t i = 0; i < table.size(); ++i) {
    table[i] = pool.data() + (i % pages * heads + i / pages) * bytes;
  }
  const std::vector<float> random = random_floats(queries * head_dim);
  const AlignedFloats q(random.begin(), random.end());  // as the engine holds them
  // Logits or weights, and what attention works with.
  const std::size_t floats = queries * rows + attend_scratch_floats(queries, head_dim);
  std::vector<float> out(heads * queries * head_dim);
  std::vector<float> scratch(heads * floats);
  const float scale = 1.0f / std::sqrt(static_cast<float>(head_dim));
  for (auto _ : state) {
    machine.threads.parallel_for(heads, 1, [&](std::size_t begin, std::size_t end, std::size_t) {
      for (std::size_t h = begin; h < end; ++h) {
        const HeadRowsView kv{table.data() + h * pages, rows, head_dim, type};
        float* at = scratch.data() + h * floats;
        float* result = out.data() + h * queries * head_dim;
        if (asked == Asked::kLogits) {
          key_logits(kv, 0, rows, q.data(), queries, scale, at);
        } else if (asked == Asked::kOutAndWeights) {
          attend_with_weights(kv, q.data(), visible.data(), queries, scale, result, at,
                              at + queries * rows);
        } else {
          attend(kv, q.data(), visible.data(), queries, scale, result, at);
        }
      }
    });
    benchmark::ClobberMemory();
  }
  const std::size_t parts = asked == Asked::kLogits ? 1 : 2;
  const std::size_t seen = std::accumulate(visible.begin(), visible.end(), std::size_t{0});
  report(state, machine, heads * rows * parts * row_bytes(type, head_dim),
         heads * 2 * parts * seen * head_dim);
}

void quantize(benchmark::State& state, Machine& machine, DType type, std::size_t n) {
  const std::vector<float> in = random_floats(n);
  std::vector<std::byte> out(row_bytes(type, n));
  for (auto _ : state) {
    quantize_row(type, in.data(), n, out.data());
    benchmark::ClobberMemory();
  }
  report(state, machine, n * sizeof(float), n);
}

template <typename Operation>
void elementwise(benchmark::State& state, Machine& machine, std::size_t n, Operation operation) {
  std::vector<float> a = random_floats(n);
  const std::vector<float> b = random_floats(n);
  for (auto _ : state) {
    operation(a.data(), b.data(), n);
    benchmark::ClobberMemory();
  }
  report(state, machine, n * sizeof(float), n);
}

void register_all(Machine& machine) {
  const auto add = [&](const std::string& name, auto&& run) {
    benchmark::RegisterBenchmark(name.c_str(), run)->UseRealTime()->Unit(benchmark::kMicrosecond);
  };
  const auto add_attention = [&](const char* name, DType type, std::size_t rows,
                                 std::size_t queries, Asked asked) {
    add(fmt::format("{}/{}/{}x128/q{}", name, dtype_name(type), rows, queries),
        [=, &machine](benchmark::State& s) {
          cache_attention(s, machine, type, rows, 128, std::vector(queries, rows), Rows::kInMemory,
                          asked);
        });
  };
  // As a prompt asks: two heads' queries of the last 16 tokens, each of which sees itself.
  const auto add_prompt_attention = [&](DType type, std::size_t rows) {
    std::vector<std::size_t> visible(32);
    for (std::size_t i = 0; i < 32; ++i) visible[i] = rows - 15 + i / 2;
    add(fmt::format("attend/{}/{}x128/q32", dtype_name(type), rows),
        [=, &machine](benchmark::State& s) {
          cache_attention(s, machine, type, rows, 128, visible, Rows::kInCache, Asked::kOut);
        });
  };
  for (DType type : {DType::kF32, DType::kF16, DType::kBF16, DType::kQ8_0}) {
    for (std::size_t queries : {1u, 2u, 4u, 6u, 7u, 8u}) {
      add_attention("attend", type, 8192, queries, Asked::kOut);
      add_attention("attend_with_weights", type, 8192, queries, Asked::kOutAndWeights);
      add_attention("key_logits", type, 8192, queries, Asked::kLogits);
    }
    add_prompt_attention(type, 512);
    // As a ranking asks: 32 tokens' queries of two heads, in blocks, of the candidates.
    for (std::size_t queries : {16u, 64u}) {
      add_attention("key_logits", type, 2048, queries, Asked::kLogits);
    }
  }
  for (DType type : {DType::kF16, DType::kBF16, DType::kQ8_0, DType::kQ4_0}) {
    add(fmt::format("quantize/{}/4096", dtype_name(type)),
        [=, &machine](benchmark::State& s) { quantize(s, machine, type, 4096); });
  }
  const auto add_elementwise = [&](const char* name, auto operation) {
    add(fmt::format("{}/4096", name),
        [=, &machine](benchmark::State& s) { elementwise(s, machine, 4096, operation); });
  };
  add_elementwise("rms_norm",
                  [](float* a, const float* b, std::size_t n) { rms_norm(a, b, 1e-6f, n, a); });
  add_elementwise("swiglu", [](float* a, const float* b, std::size_t n) { swiglu(b, b, n, a); });
  add_elementwise("softmax", [](float* a, const float*, std::size_t n) { softmax_in_place(a, n); });
  add_elementwise("all_finite", [](float* a, const float*, std::size_t n) {
    benchmark::DoNotOptimize(all_finite(a, n));
  });
}

}  // namespace

int main(int argc, char** argv) {
  const char* count = std::getenv("LACONIC_BENCH_THREADS");
  Machine machine{Threads(count == nullptr ? 0 : std::strtoul(count, nullptr, 10)), 0};
  machine.read_bandwidth = measure_read_bandwidth(machine.threads);
  fmt::print(stderr, "{} threads, SIMD target {}, {:.1f} GB/s read\n", machine.threads.size(),
             simd_target().name, machine.read_bandwidth * 1e-9);
  register_all(machine);
  laconic::bench::register_packed(machine);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
