// SPDX-License-Identifier: Apache-2.0
// Attention of one layer for a whole batch: RoPE, rows into the caches, queries to the policies,
// and the weighted sums out.
#pragma once

#include <vector>

#include "base/threads.h"
#include "kernels/attention.h"
#include "model/batch.h"
#include "model/config.h"
#include "model/weights.h"

namespace laconic {

// Rows [begin, begin + count) of a segment, for one KV head.
struct AttentionTask {
  const PlacedSegment* segment;
  std::size_t kv_head, begin, count;
  bool in_order;             // the policy is handed the weights, row by row
  std::size_t part = 0;      // of the head's cached rows, if `sums` is not kNone
  std::size_t sums = kNone;  // where what the part gives lies among all parts' sums

  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);
};

// A token's head whose cached rows several tasks share.
struct SharedHead {
  std::size_t row, kv_head;
  std::size_t sums, parts;  // where its parts' sums begin, and how many there are
};

class AttentionBlock {
 public:
  AttentionBlock(const ModelConfig& config, Threads& threads);

  // cos and sin of every row's position; call once per forward pass.
  void set_positions(const std::vector<std::int32_t>& positions);

  // q, k and v are projections; biases are added, q and k normed and rotated in place; out may not
  // alias them.
  void run(std::size_t layer, const LayerWeights& weights, const BatchLayout& batch,
           float* q /* [rows][heads][head_dim] */, float* k /* [rows][kv_heads][head_dim] */,
           float* v /* [rows][kv_heads][head_dim] */, float* out /* [rows][heads][head_dim] */);

 private:
  // Of one thread; kept, because a decode step has no time to allocate.
  struct Scratch {
    std::vector<float> floats, asked, turned, cos, sin;
    std::vector<std::size_t> visible, run_ends;
  };

  // Bias, norm and RoPE of one row's KV head and the query heads that share it.
  void prepare(const LayerWeights& weights, std::size_t row, std::size_t kv_head, float* q,
               float* k, float* v) const;
  void append_rows(std::size_t layer, const BatchLayout& batch, const float* k, const float* v);
  void hand_over_queries(std::size_t layer, const PlacedSegment& placed, const float* q);
  void plan_tasks(std::size_t layer, const BatchLayout& batch);
  // Replaces tasks of one token that would hold up the other threads by tasks of a part each.
  void share_long_heads(std::size_t layer);
  AttendQueries ask(std::size_t layer, const AttentionTask& task, const float* q, Scratch& scratch);
  void attend_rows(std::size_t layer, const BatchLayout& batch, const float* q, float* out);
  void run_task(std::size_t layer, const AttentionTask& task, const float* q, float* out,
                Scratch& scratch);
  void attend_block(std::size_t layer, const AttentionTask& task, const float* q, float* out,
                    Scratch& scratch);
  // Appends queries of one token [count][head_dim], as they would be at another place, to
  // scratch.turned.
  void append_seen_from(std::size_t place, const PlacedSegment& placed, const float* queries,
                        std::size_t count, Scratch& scratch) const;

  const ModelConfig& config_;
  Threads& threads_;
  RopeTable rope_;
  std::vector<float> cos_, sin_;      // [rows][head_dim / 2]
  std::vector<AttentionTask> tasks_;  // of the layer at work
  std::vector<AttentionTask> whole_;  // the same before heads are shared
  std::vector<SharedHead> shared_;
  std::vector<float> sums_;       // of all parts
  std::vector<Scratch> scratch_;  // [thread]
};

}  // namespace laconic
