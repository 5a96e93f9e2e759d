// SPDX-License-Identifier: Apache-2.0
#include "cli/bench_sequences.h"

#include <cassert>

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

void BenchSequences::append_random(SequenceCache& cache, BenchNoise& noise, std::size_t rows,
                                   bool prompt) {
  [[maybe_unused]] const bool granted = cache.reserve(rows, prompt);
  assert(granted);
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
