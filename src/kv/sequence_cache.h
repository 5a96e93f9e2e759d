// SPDX-License-Identifier: Apache-2.0
// All rows of one sequence, [layer][kv_head], with the policy that decides which of them stay.
//
// Life of a step: reserve() -> for each layer the forward pass appends rows and hands over what the
// policy asks for (queries, weights) -> end_step() once per generated token, which compresses when
// the schedule says so. Attention of the trigger step has then seen the uncompressed cache.
//
// With a head set the policy works on the full heads alone; the others read the prompt whole and
// then hold a constant number of rows (kv/head_cache.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "base/threads.h"
#include "kv/head_cache.h"
#include "kv/head_set.h"
#include "kv/page_pool.h"
#include "kv/schedule.h"
#include "laconic/kv_options.h"

namespace laconic {

// What a cache must hold: set by the model.
struct KvShape {
  std::size_t layers = 0, heads = 0, kv_heads = 0, head_dim = 0;
};

constexpr DType kv_dtype(KvType type) {
  switch (type) {
    case KvType::kF32:
      return DType::kF32;
    case KvType::kF16:
      return DType::kF16;
    case KvType::kBF16:
      return DType::kBF16;
    case KvType::kQ8_0:
      return DType::kQ8_0;
  }
  return DType::kF16;
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

// Neighbouring rows of a head at neighbouring positions.
struct RowRun {
  std::size_t end = 0;   // behind its last row
  std::size_t gone = 0;  // tokens before it that have no row any more: position minus row
};

// Called once per compression, layer and KV head, in this order. `kept` are true positions.
using KvTraceSink = std::function<void(std::size_t step, std::size_t layer, std::size_t kv_head,
                                       std::span<const std::int32_t> kept)>;

class SequenceCache {
 public:
  // `heads`: those that stay full, of the same shape; null: all. `threads` share the layers of a
  // compression; null: the caller alone. Both outlive the cache, and neither number nor order of
  // threads changes what it does.
  SequenceCache(PagePool& pool, const KvShape& shape, const KvOptions& options,
                const HeadSet* heads = nullptr, Threads* threads = nullptr);

  // Room for `tokens` more rows in every head. False when the pool is full; nothing is lost then.
  // Before rows of a prompt, constant heads become lists again, until the prompt's end.
  bool reserve(std::size_t tokens, bool prompt);

  HeadCache& head(std::size_t layer, std::size_t kv_head);
  const HeadCache& head(std::size_t layer, std::size_t kv_head) const;
  bool is_full_head(std::size_t layer, std::size_t kv_head) const;
  std::size_t most_rows() const;  // that one head holds

  // All rows held now become the prompt of a new generation; a policy may compress it. `sequence`
  // tells its draws apart from those of others. False when the pool has no room for the constant
  // heads' blocks: the generation cannot begin.
  bool begin_generation(std::uint64_t sequence = 0);
  // The same where no row is new since the last generation: no query has come that could rank rows,
  // so nothing is compressed before the first trigger, whatever the policy.
  bool resume_generation(std::uint64_t sequence = 0);

  // A new text is about to be read: peak, mean, compressions and seconds count from here on, and
  // queries of the text before are not asked any more.
  void restart_counters();

  // Whether the forward pass must call observe_queries for each layer: of the next decode token, or
  // of the last query_room() tokens of each prompt chunk.
  bool wants_queries(bool prompt) const;
  std::size_t query_room() const { return query_room_; }
  void observe_queries(std::size_t layer, std::int32_t position,
                       const float* q /* [heads][head_dim], post-RoPE */);

  // Whether the attention weights of a head must be handed over, token by token. Safe to call from
  // several threads for different heads.
  bool wants_attention(bool prompt, std::size_t layer, std::size_t kv_head) const;
  void observe_attention(std::size_t layer, std::size_t kv_head,
                         const float* weights /* [group][rows] */, std::size_t rows);

  // The sums that a full head's rows have so far; rows at the end that nobody has looked at yet
  // have none. Empty where the policy needs none.
  std::span<const float> received(std::size_t layer, std::size_t kv_head) const;
  // Puts them back. PRECONDITION: wants_attention(false, layer, kv_head); one for each row.
  void restore_received(std::size_t layer, std::size_t kv_head, std::span<const float> sums);

  // KvPositions::kCache, while decoding: all rows of a head as runs that stand together in the
  // text. A query sees each from its own place in the cache. Empty: nothing was evicted, or rows
  // are seen at their true positions.
  std::vector<RowRun> runs_seen_by_index(std::size_t layer, std::size_t kv_head) const;

  // After the forward pass of one generated token. True when rows were evicted.
  bool end_step();

  // The position of the next token: its place in the text, not the number of rows.
  std::int32_t next_position() const { return next_position_; }
  void advance(std::size_t tokens) { next_position_ += static_cast<std::int32_t>(tokens); }

  const KvShape& shape() const { return shape_; }
  KvCounters counters() const;
  void set_trace(KvTraceSink sink) { trace_ = std::move(sink); }

 private:
  bool begin_rows(std::uint64_t sequence);  // what both ways to begin share

  // Leaves `stay` rows in every full head. True when that evicted rows.
  bool compress(std::size_t stay);
  // The part that other layers do not see: rows move, and pages stay with their heads.
  void compress_layer(std::size_t layer, std::size_t stay);
  void keep_rows(std::size_t layer, std::size_t kv_head, std::span<const std::int32_t> kept);
  std::size_t layers_per_thread() const;  // that are worth a second one
  void trace_kept() const;
  std::size_t rows_of_full_heads() const;
  std::size_t count_peak();  // returns the bytes held now
  void count_step();
  // The newest queries of the heads that share a layer's `kv_heads`, oldest first, as the ranking
  // takes them: [heads][count][head_dim]
  std::vector<float> newest_queries(std::size_t layer, std::span<const std::size_t> kv_heads,
                                    std::size_t count) const;

  PagePool& pool_;
  Threads* threads_;
  KvShape shape_;
  KvOptions options_;
  std::vector<std::vector<std::size_t>> full_heads_;  // [layer] ascending
  std::vector<HeadCache> heads_;                      // [layer][kv_head]
  std::optional<Schedule> schedule_;                  // nothing for `full`
  // Ring of the most recent queries, [layer][at most query_room_][heads][head_dim]. It grows with
  // the queries that come: a window longer than the answer costs nothing.
  struct QueryRing {
    std::vector<float> values;
    std::size_t pushed = 0;
    std::int32_t next_position = 0;  // a query from elsewhere starts the ring anew
  };
  std::vector<QueryRing> queries_;            // [layer]
  std::size_t query_room_ = 0;                // most queries that the policy asks for
  std::vector<std::vector<float>> received_;  // h2o: [layer][kv_head][rows] attention received
  std::uint64_t sequence_ = 0;
  std::int32_t next_position_ = 0;
  std::size_t peak_bytes_ = 0, peak_allocated_bytes_ = 0, steps_ = 0, compressions_ = 0;
  double byte_steps_ = 0, seconds_ = 0;
  KvTraceSink trace_;
};

}  // namespace laconic
