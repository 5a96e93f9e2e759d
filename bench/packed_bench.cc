// SPDX-License-Identifier: Apache-2.0
// Products of packed matrices, checked against the plain twin before they are timed:
//
//   laconic_kernels_bench --benchmark_filter=pack
//
// "read" is the machine's read bandwidth in the same minutes: compare with %read of the products.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>

#include "base/half.h"
#include "kernels/k_quants.h"
#include "kernels/packed.h"
#include "kernels/quantize.h"
#include "kernels/quantized_rows.h"
#include "kernels/residual.h"
#include "kernels_bench.h"

namespace laconic::bench {
namespace {

constexpr DType kPackedTypes[] = {DType::kF32,  DType::kF16,  DType::kBF16, DType::kQ8_0,
                                  DType::kQ4_0, DType::kQ4_K, DType::kQ5_K, DType::kQ6_K};

struct Shape {
  std::size_t rows, cols;
};

// Random blocks with scales of a sane size, or one random row again and again.
std::vector<std::byte> random_matrix(DType type, const Shape& shape) {
  std::minstd_rand generator(2);
  const std::size_t stride = row_bytes(type, shape.cols);
  std::vector<std::byte> bytes(shape.rows * stride);
  if (!reads_quantized_rows(type)) {
    const std::vector<float> row = random_floats(shape.cols);
    for (std::size_t r = 0; r < shape.rows; ++r) {
      quantize_row(type, row.data(), shape.cols, bytes.data() + r * stride);
    }
    return bytes;
  }
  for (std::byte& byte : bytes) byte = static_cast<std::byte>((generator() >> 8) & 255u);
  const std::uint16_t scale = f16_from_float(0.01f);
  for (std::size_t at = 0; at < bytes.size(); at += block_bytes(type)) {
    std::memcpy(bytes.data() + at + (type == DType::kQ6_K ? kQ6KScaleAt : 0), &scale, 2);
    if (type == DType::kQ4_K || type == DType::kQ5_K) {
      std::memcpy(bytes.data() + at + kKMinimumAt, &scale, 2);
    }
  }
  return bytes;
}

// Copies of one packed matrix, enough of them to exceed the caches.
std::vector<PackedMatrix> packed_pool(Machine& machine, DType type, const Shape& shape) {
  const std::vector<std::byte> bytes = random_matrix(type, shape);
  const WeightView view{type, bytes.data(), shape.rows, shape.cols};
  std::vector<PackedMatrix> pool;
  for (std::size_t held = 0; held < kPoolBytes; held += view.bytes()) {
    pool.push_back(PackedMatrix::pack(machine.threads, view));
  }
  return pool;
}

// Rows of both kinds, and products with the kind that the weights read.
struct Activations {
  Activations(Machine& m, std::size_t rows, std::size_t cols)
      : machine(m), n(rows), plain(random_floats(rows * cols)) {
    quantize_rows(machine.threads, plain.data(), n, cols, quantized);
  }

  void product(const PackedView& w, float* y) const {
    const PackedProduct one{w, y, w.rows};
    if (reads_quantized_rows(w.type)) {
      packed_products(machine.threads, {&one, 1}, quantized);
    } else {
      packed_products(machine.threads, {&one, 1}, plain.data(), n);
    }
  }
  void twin(const PackedView& w, float* y) const {
    if (reads_quantized_rows(w.type)) {
      reference::packed_product(w, quantized.view(), y, w.rows);
    } else {
      reference::packed_product(w, plain.data(), n, y, w.rows);
    }
  }

  Machine& machine;
  std::size_t n;
  std::vector<float> plain;
  QuantizedRows quantized;
};

// The largest difference from the twin in the first rows, as a share of the largest result.
double worst_difference(const PackedMatrix& w, const Activations& x) {
  PackedView few = w.view();
  few.rows = std::min<std::size_t>(few.rows, 67);
  std::vector<float> fast(x.n * few.rows), slow(x.n * few.rows);
  x.product(few, fast.data());
  x.twin(few, slow.data());
  double worst = 0, largest = 1e-30;
  for (std::size_t i = 0; i < fast.size(); ++i) {
    worst = std::max(worst, std::fabs(static_cast<double>(fast[i]) - slow[i]));
    largest = std::max(largest, std::fabs(static_cast<double>(slow[i])));
  }
  return worst / largest;
}

void packed(benchmark::State& state, Machine& machine, DType type, const Shape& shape,
            std::size_t n) {
  const std::vector<PackedMatrix> pool = packed_pool(machine, type, shape);
  const Activations x(machine, n, shape.cols);
  const double worst = worst_difference(pool.front(), x);
  if (!(worst < 1e-5)) {
    state.SkipWithError(fmt::format("differs from the twin by {}", worst).c_str());
    return;
  }
  std::vector<float> y(n * shape.rows);
  std::size_t i = 0;
  for (auto _ : state) {
    x.product(pool[i].view(), y.data());
    benchmark::ClobberMemory();
    i = (i + 1) % pool.size();
  }
  report(state, machine, pool.front().bytes(), 2 * n * shape.rows * shape.cols);
}

// What loading a model does to each matrix; the rate is of the source's bytes, operations are
// weights.
void pack(benchmark::State& state, Machine& machine, DType type, const Shape& shape) {
  const std::vector<std::byte> bytes = random_matrix(type, shape);
  const WeightView view{type, bytes.data(), shape.rows, shape.cols};
  const PackedMemory memory(packed_bytes(view));
  for (auto _ : state) {
    pack_into(machine.threads, view, memory.data());
    benchmark::ClobberMemory();
  }
  report(state, machine, view.bytes(), shape.rows * shape.cols);
}

void quantize_activations(benchmark::State& state, Machine& machine, std::size_t n,
                          std::size_t cols, bool stage) {
  std::vector<float> x = random_floats(n * cols);
  const std::vector<float> weight = random_floats(cols), delta(n * cols);
  QuantizedRows rows;
  for (auto _ : state) {
    if (stage) {
      benchmark::DoNotOptimize(run_stage(machine.threads, {.x = x.data(),
                                                           .n = n,
                                                           .cols = cols,
                                                           .delta = delta.data(),
                                                           .norm = weight.data(),
                                                           .eps = 1e-6f,
                                                           .quantized = &rows}));
    } else {
      quantize_rows(machine.threads, x.data(), n, cols, rows);
    }
    benchmark::ClobberMemory();
  }
  report(state, machine, n * cols * sizeof(float), n * cols);
}

}  // namespace

void register_packed(Machine& machine) {
  const auto add = [&](const std::string& name, auto&& run) {
    benchmark::RegisterBenchmark(name.c_str(), run)->UseRealTime()->Unit(benchmark::kMicrosecond);
  };
  add("packed/read", [&machine](benchmark::State& s) {
    BandwidthProbe probe(machine.threads, kPoolBytes);
    for (auto _ : s) benchmark::DoNotOptimize(probe.measure());
    report(s, machine, kPoolBytes, 0);
  });
  for (const Shape& shape : {Shape{4096, 1024}, Shape{1024, 3072}, Shape{151936, 1024}}) {
    for (DType type : kPackedTypes) {
      for (std::size_t n : {1u, 4u, 16u, 64u, 512u}) {
        add(fmt::format("packed/{}/{}x{}/n{}", dtype_name(type), shape.rows, shape.cols, n),
            [=, &machine](benchmark::State& s) { packed(s, machine, type, shape, n); });
      }
    }
  }
  for (DType type : kPackedTypes) {
    add(fmt::format("pack/{}/1024x3072", dtype_name(type)), [=, &machine](benchmark::State& s) {
      pack(s, machine, type, {1024, 3072});
    });
  }
  for (std::size_t n : {1u, 512u}) {
    add(fmt::format("packed/quantize_rows/{}x1024", n),
        [=, &machine](benchmark::State& s) { quantize_activations(s, machine, n, 1024, false); });
    add(fmt::format("packed/residual_stage/{}x1024", n),
        [=, &machine](benchmark::State& s) { quantize_activations(s, machine, n, 1024, true); });
  }
}

}  // namespace laconic::bench
