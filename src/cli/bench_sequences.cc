// SPDX-License-Identifier: Apache-2.0
#include "cli/bench_sequences.h"

#include "base/error.h"
#include "base/mix.h"

namespace laconic::cli {

BenchNoise::BenchNoise(const ModelConfig& config)
    : vocab_(config.vocab), values_(kWindows + config.heads * config.head_dim) {
  for (float& value : values_) {
    value = static_cast<float>(draw() >> 40) / static_cast<float>(1 << 23) - 1.0f;
  }
}

std::uint64_t BenchNoise::draw() { return mix_bits(state_ += kMixStep); }

std::int32_t BenchNoise::token() { return static_cast<std::int32_t>(draw() % vocab_); }

const float* BenchNoise::row() { return window(); }

const float* BenchNoise::query() { return window(); }

BenchSequences::BenchSequences(const ModelConfig& config, const KvOptions& kv, const HeadSet* heads,
                               Threads& threads, std::size_t batch, std::size_t limit)
    : pool_(page_bytes(kv_dtype(kv.type), config.head_dim), limit) {
  for (std::size_t i = 0; i < batch; ++i) {
    caches_.emplace_back(pool_, config.kv_shape(), kv, heads, &threads);
  }
}

std::size_t BenchSequences::bytes() const {
  std::size_t sum = 0;
  for (const SequenceCache& cache : caches_) sum += cache.counters().bytes;
  return sum;
}

void BenchSequences::reserve(SequenceCache& cache, std::size_t rows, bool prompt) {
  if (!cache.reserve(rows, prompt)) {
    throw_resource("the cache's memory is used up: {} more rows in each KV head do not fit", rows);
  }
}

void BenchSequences::begin_generation(SequenceCache& cache) {
  if (!cache.begin_generation()) {
    throw_resource("the cache's memory is used up: the constant heads' rows do not fit");
  }
}

void BenchSequences::append_random(SequenceCache& cache, BenchNoise& noise, std::size_t rows,
                                   bool prompt) {
  reserve(cache, rows, prompt);
  const std::int32_t first = cache.next_position();
  for_each_head(cache, [&](HeadCache& head) {
    for (std::size_t row = 0; row < rows; ++row) {
      const float* key = noise.row();
      head.append(first + static_cast<std::int32_t>(row), key, noise.row());
    }
  });
  cache.advance(rows);
}

}  // namespace laconic::cli
