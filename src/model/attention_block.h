// SPDX-License-Identifier: Apache-2.0
// Attention of one layer for a whole batch: RoPE, rows into the caches, queries to the policies,
// and the weighted sums out.
//
// A generated token's KV head is one task from its bias to its weighted sums, unless its rows are
// so many that threads share them.
#pragma once

#include <algorithm>
#include <vector>

#include "base/aligned.h"
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
  std::size_t held;  // rows of the head when its queries look at them; one too many in full rings
  bool in_order;     // the policy is handed the weights, row by row
  bool shared = false;  // one token that would hold up the other threads: a task for each part

  std::size_t row() const { return segment->first_row + begin; }
};

// What a shared head's cached rows are to its token.
struct SharedHead {
  const AttentionTask* task;
  std::size_t sums, parts;  // where its parts' sums begin, and how many there are
};
struct AttentionPart {
  const AttentionTask* task;
  std::size_t index;
  std::size_t sums;  // where what it gives lies
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
    AlignedFloats floats, asked, turned;
    std::vector<float> cos, sin;
    std::vector<std::size_t> visible, run_ends;
  };

  // One call of run().
  struct Call {
    std::size_t layer;
    const LayerWeights& weights;
    const BatchLayout& batch;
    float *q, *k, *v, *out;
  };

  // Multiply-adds that are worth a second thread: two or three microseconds, against the few tenths
  // that calling a team costs.
  static constexpr std::size_t kThreadWork = 32 * 1024;
  // Bias, norm, RoPE and conversion of an element take as long as so many of them.
  static constexpr std::size_t kPrepareWork = 16;
  // Of tasks that take `work` multiply-adds together, those that one thread takes at least.
  static std::size_t grain_of(std::size_t tasks, std::size_t work) {
    return std::max<std::size_t>(1, kThreadWork * tasks / std::max<std::size_t>(work, 1));
  }

  // Bias, norm and RoPE of one row's KV head and the query heads that share it.
  void prepare(const Call& call, std::size_t row, std::size_t kv_head) const;
  void append(const Call& call, const PlacedSegment& placed, std::size_t kv_head) const;
  void prepare_prompts(const Call& call);
  void hand_over_queries(const Call& call, const PlacedSegment& placed);
  void plan_tasks(const Call& call);
  std::size_t work_of(const AttentionTask& task) const;
  AttendQueries ask(const Call& call, const AttentionTask& task, Scratch& scratch);
  void run_tasks(const Call& call);
  void run_task(const Call& call, const AttentionTask& task, Scratch& scratch);
  void attend_block(const Call& call, const AttentionTask& task, Scratch& scratch);
  void attend_shared(const Call& call);
  // Appends queries of one token [count][head_dim], as they would be at another place, to
  // scratch.turned.
  void append_seen_from(std::size_t place, const PlacedSegment& placed, const float* queries,
                        std::size_t count, Scratch& scratch) const;

  const ModelConfig& config_;
  Threads& threads_;
  RopeTable rope_;
  std::vector<float> cos_, sin_;      // [rows][head_dim / 2]
  std::vector<AttentionTask> tasks_;  // of the layer at work
  std::vector<SharedHead> shared_;    // those of them that are
  std::vector<AttentionPart> parts_;  // of them
  std::vector<float> sums_;           // of all parts
  std::vector<Scratch> scratch_;      // [thread]
};

}  // namespace laconic
