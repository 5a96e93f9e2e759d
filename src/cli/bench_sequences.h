// SPDX-License-Identifier: Apache-2.0
// What speed tests are made of: caches that share a pool, and random rows, queries and tokens.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include "base/threads.h"
#include "kv/head_set.h"
#include "kv/sequence_cache.h"
#include "model/config.h"

namespace laconic::cli {

// Values in [-1, 1) that random rows are cut from.
class BenchNoise {
 public:
  explicit BenchNoise(const ModelConfig& config);
  std::uint64_t draw();
  std::int32_t token();
  const float* row();    // [head_dim]
  const float* query();  // [heads][head_dim]

 private:
  const float* window() { return values_.data() + draw() % kWindows; }
  static constexpr std::size_t kWindows = 1 << 16;
  std::size_t vocab_;
  std::uint64_t state_ = 1;
  std::vector<float> values_;
};

// The sequences of one test and the pages that they share.
class BenchSequences {
 public:
  // `limit`: bytes of all pages and blocks. Options, heads and threads outlive this.
  BenchSequences(const ModelConfig& config, const KvOptions& kv, const HeadSet* heads,
                 Threads& threads, std::size_t batch, std::size_t limit);

  std::size_t bytes() const;  // of rows held

  // As a cache does, but Error(kResource) where it says no.
  static void reserve(SequenceCache& cache, std::size_t rows, bool prompt);
  static void begin_generation(SequenceCache& cache);

  // Rows as if tokens had been read or generated, without a model.
  void append_random(SequenceCache& cache, BenchNoise& noise, std::size_t rows, bool prompt);

  std::deque<SequenceCache>& caches() { return caches_; }

 private:
  PagePool pool_;
  std::deque<SequenceCache> caches_;  // [batch]; ended before the pool is
};

template <typename Visit>
void for_each_head(SequenceCache& cache, const Visit& visit) {
  for (std::size_t layer = 0; layer < cache.shape().layers; ++layer) {
    for (std::size_t head = 0; head < cache.shape().kv_heads; ++head) {
      visit(cache.head(layer, head));
    }
  }
}

}  // namespace laconic::cli
