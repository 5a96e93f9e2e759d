// SPDX-License-Identifier: Apache-2.0
// All rows of one sequence, [layer][kv_head], with the policy that decides which of them stay.
//
// Life of a step: reserve() -> for each layer the forward pass appends rows and, when
// wants_queries(), hands over the queries -> end_step() once per generated token, which compresses
// when the schedule says so. Attention of the trigger step has then seen the uncompressed cache.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "kv/head_cache.h"
#include "kv/page_pool.h"
#include "kv/schedule.h"
#include "laconic/kv_options.h"

namespace laconic {

// What a cache must hold: set by the model.
struct KvShape {
  std::size_t layers = 0, heads = 0, kv_heads = 0, head_dim = 0;
};

constexpr DType kv_dtype(KvType type) {
  return type == KvType::kF32 ? DType::kF32 : type == KvType::kF16 ? DType::kF16 : DType::kBF16;
}

struct KvCounters {
  std::size_t rows = 0;             // held now, summed over layers and heads
  std::size_t bytes = 0;            // rows x bytes of a row (K and V)
  std::size_t allocated_bytes = 0;  // pages held x bytes of a page
  std::size_t peak_bytes = 0;       // largest `bytes` so far
  std::size_t peak_allocated_bytes = 0;
  double mean_bytes = 0;         // time-average over the decode steps of what their attention read
  std::size_t compressions = 0;  // triggers so far (all layers at once count as one)
  double seconds = 0;            // time spent in the policy: scoring and compaction
};

// Called once per compression, layer and KV head, before rows move. `kept` are true positions.
using KvTraceSink = std::function<void(std::size_t step, std::size_t layer, std::size_t kv_head,
                                       std::span<const std::int32_t> kept)>;

class SequenceCache {
 public:
  SequenceCache(PagePool& pool, const KvShape& shape, const KvOptions& options);

  // Room for `tokens` more rows in every head. False, and nothing changed, when the pool is full.
  bool reserve(std::size_t tokens);

  HeadCache& head(std::size_t layer, std::size_t kv_head);
  const HeadCache& head(std::size_t layer, std::size_t kv_head) const;

  // All rows held now become the prompt of a new generation; stale queries are dropped. `sequence`
  // tells its draws apart from those of others.
  void begin_generation(std::uint64_t sequence = 0);

  // Peak, mean, compressions and seconds count from here on.
  void restart_counters();

  // Whether the forward pass of the next decode token must call observe_queries for each layer.
  bool wants_queries() const;
  void observe_queries(std::size_t layer, const float* q /* [heads][head_dim], post-RoPE */);

  // After the forward pass of one generated token. True when rows were evicted.
  bool end_step();

  // The position of the next token: its place in the text, not the number of rows.
  std::int32_t next_position() const { return next_position_; }
  void advance(std::size_t tokens) { next_position_ += static_cast<std::int32_t>(tokens); }

  const KvShape& shape() const { return shape_; }
  KvCounters counters() const;
  void set_trace(KvTraceSink sink) { trace_ = std::move(sink); }

 private:
  // Keeps `keep` candidates of every KV head. True when that evicted rows.
  bool compress(std::size_t keep);
  std::size_t count_peak();  // returns the bytes held now
  void count_step();
  // The newest queries of a layer, oldest first, as the ranking takes them:
  // [heads][count][head_dim]
  std::vector<float> newest_queries(std::size_t layer, std::size_t count) const;

  PagePool& pool_;
  KvShape shape_;
  KvOptions options_;
  std::vector<HeadCache> heads_;           // [layer][kv_head]
  std::optional<RatioSchedule> schedule_;  // nothing for `full`
  // Ring of the most recent queries, [layer][at most window][heads][head_dim]. It grows with the
  // queries that come: a window longer than the answer costs nothing.
  std::vector<std::vector<float>> queries_;
  std::vector<std::size_t> query_counts_;  // [layer] pushed in this generation
  std::uint64_t sequence_ = 0;
  std::int32_t next_position_ = 0;
  std::size_t peak_bytes_ = 0, peak_allocated_bytes_ = 0, steps_ = 0, compressions_ = 0;
  double byte_steps_ = 0, seconds_ = 0;
  KvTraceSink trace_;
};

}  // namespace laconic
