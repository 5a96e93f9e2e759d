// SPDX-License-Identifier: Apache-2.0
#include "model/attention_block.h"

#include <algorithm>
#include <cmath>

#include "kernels/attention.h"
#include "kernels/elementwise.h"

namespace laconic {
namespace {

// Prompt rows that one attention task takes together: with a group of 2 to 8 query heads this makes
// 32 to 128 queries per visit of a page, so that each K/V row is read from memory once for them.
constexpr std::size_t kPromptRowsPerTask = 16;

// Multiply-adds that are worth a second thread: some ten microseconds, against the few that waking
// it costs.
constexpr std::size_t kThreadWork = 128 * 1024;

bool is_prompt(const PlacedSegment& placed) { return placed.segment->kind == RowKind::kPrompt; }

}  // namespace

AttentionBlock::AttentionBlock(const ModelConfig& config, Threads& threads)
    : config_(config),
      threads_(threads),
      rope_(rope_table(config.rope, config.head_dim)),
      scratch_(threads.size()) {}

void AttentionBlock::set_positions(const std::vector<std::int32_t>& positions) {
  const std::size_t half = config_.head_dim / 2;
  cos_.resize(positions.size() * half);
  sin_.resize(positions.size() * half);
  for (std::size_t row = 0; row < positions.size(); ++row) {
    for (std::size_t i = 0; i < half; ++i) {
      const double angle = positions[row] * rope_.inverse_frequency[i];
      cos_[row * half + i] = static_cast<float>(std::cos(angle) * rope_.magnitude);
      sin_[row * half + i] = static_cast<float>(std::sin(angle) * rope_.magnitude);
    }
  }
}

void AttentionBlock::run(std::size_t layer, const LayerWeights& weights, const BatchLayout& batch,
                         float* q, float* k, const float* v, float* out) {
  norm_and_rotate(weights, batch.rows(), q, k);
  append_rows(layer, batch, k, v);
  for (const PlacedSegment& placed : batch.segments) hand_over_queries(layer, placed, q);
  attend_rows(layer, batch, q, out);
}

void AttentionBlock::hand_over_queries(std::size_t layer, const PlacedSegment& placed,
                                       const float* q) {
  SequenceCache& cache = *placed.segment->cache;
  if (!cache.wants_queries(is_prompt(placed))) return;
  for (std::size_t i = placed.rows() - std::min(placed.rows(), cache.query_room());
       i < placed.rows(); ++i) {
    const std::size_t row = placed.first_row + i;
    cache.observe_queries(layer, placed.first_position + static_cast<std::int32_t>(i),
                          q + row * config_.heads * config_.head_dim);
  }
}

void AttentionBlock::norm_and_rotate(const LayerWeights& weights, std::size_t rows, float* q,
                                     float* k) {
  const std::size_t d = config_.head_dim;
  threads_.parallel_for(rows, 4, [&](std::size_t begin, std::size_t end, std::size_t) {
    for (std::size_t row = begin; row < end; ++row) {
      const float* cos = cos_.data() + row * (d / 2);
      const float* sin = sin_.data() + row * (d / 2);
      const auto prepare = [&](float* heads, std::size_t count, const std::vector<float>& norm) {
        for (std::size_t h = 0; h < count; ++h) {
          float* head = heads + (row * count + h) * d;
          if (!norm.empty()) rms_norm(head, norm.data(), config_.norm_eps, d, head);
          rope_in_place(head, cos, sin, d);
        }
      };
      prepare(q, config_.heads, weights.q_norm);
      prepare(k, config_.kv_heads, weights.k_norm);
    }
  });
}

void AttentionBlock::append_rows(std::size_t layer, const BatchLayout& batch, const float* k,
                                 const float* v) {
  const std::size_t d = config_.head_dim;
  const std::size_t kv_heads = config_.kv_heads;
  const std::size_t tasks = batch.segments.size() * kv_heads;
  // One decode row is a microsecond's work: only larger batches are worth a second thread.
  const std::size_t grain =
      std::max<std::size_t>(1, 64 * tasks / std::max<std::size_t>(1, batch.rows() * kv_heads));
  threads_.parallel_for(tasks, grain, [&](std::size_t begin, std::size_t end, std::size_t) {
    for (std::size_t task = begin; task < end; ++task) {
      const PlacedSegment& placed = batch.segments[task / kv_heads];
      const std::size_t kv_head = task % kv_heads;
      HeadCache& head = placed.segment->cache->head(layer, kv_head);
      for (std::size_t i = 0; i < placed.rows(); ++i) {
        const std::size_t row = placed.first_row + i;
        head.append(batch.positions[row], k + (row * kv_heads + kv_head) * d,
                    v + (row * kv_heads + kv_head) * d);
      }
    }
  });
}

void AttentionBlock::plan_tasks(std::size_t layer, const BatchLayout& batch) {
  tasks_.clear();
  for (const PlacedSegment& placed : batch.segments) {
    const SequenceCache& cache = *placed.segment->cache;
    for (std::size_t h = 0; h < config_.kv_heads; ++h) {
      // Sums of weights are added up row by row, whatever the chunks: one task then does all rows.
      const bool in_order = cache.wants_attention(is_prompt(placed), layer, h);
      const std::size_t step = in_order ? placed.rows() : kPromptRowsPerTask;
      for (std::size_t begin = 0; begin < placed.rows(); begin += step) {
        tasks_.push_back({&placed, h, begin, std::min(step, placed.rows() - begin), in_order});
      }
    }
  }
}

void AttentionBlock::attend_rows(std::size_t layer, const BatchLayout& batch, const float* q,
                                 float* out) {
  plan_tasks(layer, batch);
  std::size_t work = 0;  // multiply-adds of all tasks, from above
  for (const AttentionTask& task : tasks_) {
    const std::size_t held = task.segment->segment->cache->head(layer, task.kv_head).size();
    work += task.count * config_.heads / config_.kv_heads * held * config_.head_dim * 2;
  }
  const std::size_t grain = kThreadWork * tasks_.size() / std::max<std::size_t>(work, 1) + 1;
  threads_.parallel_for(tasks_.size(), grain,
                        [&](std::size_t begin, std::size_t end, std::size_t t) {
                          for (std::size_t i = begin; i < end; ++i) {
                            run_task(layer, tasks_[i], q, out, scratch_[t]);
                          }
                        });
}

void AttentionBlock::run_task(std::size_t layer, const AttentionTask& task, const float* q,
                              float* out, Scratch& scratch) {
  for (std::size_t done = 0; done < task.count; done += kPromptRowsPerTask) {
    AttentionTask block = task;
    block.begin += done;
    block.count = std::min(kPromptRowsPerTask, task.count - done);
    attend_block(layer, block, q, out, scratch);
  }
}

void AttentionBlock::attend_block(std::size_t layer, const AttentionTask& task, const float* q,
                                  float* out, Scratch& scratch) {
  const std::size_t d = config_.head_dim;
  const std::size_t heads = config_.heads;
  const std::size_t group = heads / config_.kv_heads;
  const float scale = 1.0f / std::sqrt(static_cast<float>(d));
  SequenceCache& cache = *task.segment->segment->cache;
  const HeadRowsView kv = cache.head(layer, task.kv_head).view();
  // Rows held before this pass. A constant head's ring may have dropped one for the new token's.
  const std::size_t before = kv.rows - task.segment->rows();
  const std::size_t queries = task.count * group;
  const std::size_t block = queries * d;
  scratch.floats.resize(2 * block + attend_scratch_floats(queries, d) +
                        (task.in_order ? queries * kv.rows : 0));
  float* gathered = scratch.floats.data();  // [count][group][head_dim]
  float* result = gathered + block;         // [count][group][head_dim]
  float* work = result + block;
  std::vector<std::size_t>& visible = scratch.visible;
  visible.resize(queries);
  for (std::size_t i = 0; i < task.count; ++i) {
    const std::size_t row = task.segment->first_row + task.begin + i;
    std::copy_n(q + (row * heads + task.kv_head * group) * d, group * d, gathered + i * group * d);
    std::fill_n(visible.begin() + static_cast<std::ptrdiff_t>(i * group), group,
                before + task.begin + i + 1);
  }
  const std::vector<RowRun> runs = is_prompt(*task.segment)
                                       ? std::vector<RowRun>()
                                       : cache.runs_seen_by_index(layer, task.kv_head);
  if (!runs.empty()) {
    scratch.run_ends.clear();
    scratch.turned.clear();  // [runs][group][head_dim]
    for (const RowRun& run : runs) {
      scratch.run_ends.push_back(run.end);
      append_seen_from(kv.rows - 1 + run.gone, *task.segment, gathered, group, scratch);
    }
    attend_split(kv, scratch.turned.data(), scratch.run_ends.data(), visible.data(), queries, scale,
                 result, work);
  } else if (task.in_order) {
    float* weights = work + attend_scratch_floats(queries, d);  // [count][group][rows]
    attend_with_weights(kv, gathered, visible.data(), queries, scale, result, weights, work);
    for (std::size_t i = 0; i < task.count; ++i) {
      cache.observe_attention(layer, task.kv_head, weights + i * group * kv.rows, kv.rows);
    }
  } else {
    attend(kv, gathered, visible.data(), queries, scale, result, work);
  }
  for (std::size_t i = 0; i < task.count; ++i) {
    const std::size_t row = task.segment->first_row + task.begin + i;
    std::copy_n(result + i * group * d, group * d, out + (row * heads + task.kv_head * group) * d);
  }
}

// Turning by a place and then by a difference is turning by the sum; lengths change only once.
void AttentionBlock::append_seen_from(std::size_t place, const PlacedSegment& placed,
                                      const float* queries, std::size_t count,
                                      Scratch& scratch) const {
  const std::size_t d = config_.head_dim;
  const std::size_t first = scratch.turned.size();
  scratch.turned.insert(scratch.turned.end(), queries, queries + count * d);
  const double difference = static_cast<double>(place) - placed.first_position;
  if (difference == 0) return;
  scratch.cos.resize(d / 2);
  scratch.sin.resize(d / 2);
  for (std::size_t i = 0; i < d / 2; ++i) {
    scratch.cos[i] = static_cast<float>(std::cos(difference * rope_.inverse_frequency[i]));
    scratch.sin[i] = static_cast<float>(std::sin(difference * rope_.inverse_frequency[i]));
  }
  for (std::size_t i = 0; i < count; ++i) {
    rope_in_place(scratch.turned.data() + first + i * d, scratch.cos.data(), scratch.sin.data(), d);
  }
}

}  // namespace laconic
