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

// A head is shared between threads if it is more than this part of what one thread should do: whole
// heads then leave the last thread at most so much to do alone.
constexpr std::size_t kTasksPerThread = 8;

}  // namespace

AttentionBlock::AttentionBlock(const ModelConfig& config, Threads& threads)
    : config_(config),
      threads_(threads),
      rope_(rope_table(config.rope, config.head_dim)),
      scratch_(threads.size()) {}

void AttentionBlock::run(std::size_t layer, const LayerWeights& weights, const BatchLayout& batch,
                         float* q, float* k, float* v, float* out) {
  const Call call{layer, weights, batch, q, k, v, out};
  prepare_prompts(call);
  plan_tasks(call);
  run_tasks(call);
  attend_shared(call);
  for (const PlacedSegment& placed : batch.segments) hand_over_queries(call, placed);
}

// Rows of prompts are appended by now, those of tokens will be by their tasks.
void AttentionBlock::plan_tasks(const Call& call) {
  tasks_.clear();
  std::size_t all = 0;  // rows that queries visit
  for (const PlacedSegment& placed : call.batch.segments) {
    const SequenceCache& cache = *placed.segment->cache;
    for (std::size_t h = 0; h < config_.kv_heads; ++h) {
      const std::size_t held = cache.head(call.layer, h).size() + (placed.is_prompt() ? 0 : 1);
      // Sums of weights are added up row by row, whatever the chunks: one task then does all rows.
      const bool in_order = cache.wants_attention(placed.is_prompt(), call.layer, h);
      const std::size_t step = in_order ? placed.rows() : kPromptRowsPerTask;
      for (std::size_t begin = 0; begin < placed.rows(); begin += step) {
        const std::size_t count = std::min(step, placed.rows() - begin);
        tasks_.push_back({&placed, h, begin, count, held, in_order});
        all += count * held;
      }
    }
  }
  for (AttentionTask& task : tasks_) {
    task.shared = threads_.size() > 1 && !task.in_order && task.count == 1 &&
                  parts_of(task.held) > 1 && task.held * kTasksPerThread * threads_.size() > all;
  }
}

// In multiply-adds, from above.
std::size_t AttentionBlock::work_of(const AttentionTask& task) const {
  const std::size_t group = config_.heads / config_.kv_heads;
  const std::size_t preparing = task.segment->is_prompt() ? 0 : (group + 2) * kPrepareWork;
  const std::size_t attending = task.shared ? 0 : 2 * task.count * group * task.held;
  return (preparing + attending) * config_.head_dim;
}

void AttentionBlock::run_tasks(const Call& call) {
  std::size_t work = 0;
  for (const AttentionTask& task : tasks_) work += work_of(task);
  threads_.parallel_for(tasks_.size(), grain_of(tasks_.size(), work),
                        [&](std::size_t begin, std::size_t end, std::size_t t) {
                          for (std::size_t i = begin; i < end; ++i) {
                            run_task(call, tasks_[i], scratch_[t]);
                          }
                        });
}

void AttentionBlock::run_task(const Call& call, const AttentionTask& task, Scratch& scratch) {
  if (!task.segment->is_prompt()) {
    prepare(call, task.row(), task.kv_head);
    append(call, *task.segment, task.kv_head);
  }
  if (task.shared) return;
  for (std::size_t done = 0; done < task.count; done += kPromptRowsPerTask) {
    AttentionTask block = task;
    block.begin += done;
    block.count = std::min(kPromptRowsPerTask, task.count - done);
    attend_block(call, block, scratch);
  }
}

void AttentionBlock::attend_shared(const Call& call) {
  const std::size_t group = config_.heads / config_.kv_heads;
  const std::size_t floats = attend_part_floats(group, config_.head_dim);
  shared_.clear();
  parts_.clear();
  std::size_t sums = 0;
  for (const AttentionTask& task : tasks_) {
    if (!task.shared) continue;
    const HeadCache& head = task.segment->segment->cache->head(call.layer, task.kv_head);
    shared_.push_back({&task, sums, parts_of(head.size())});
    for (std::size_t i = 0; i < shared_.back().parts; ++i, sums += floats) {
      parts_.push_back({&task, i, sums});
    }
  }
  if (sums_.size() < sums) sums_.resize(sums);
  const std::size_t work = parts_.size() * 2 * group * kPartRows * config_.head_dim;
  threads_.parallel_for(
      parts_.size(), grain_of(parts_.size(), work),
      [&](std::size_t begin, std::size_t end, std::size_t t) {
        for (std::size_t i = begin; i < end; ++i) {
          const AttentionTask& task = *parts_[i].task;
          attend_part(task.segment->segment->cache->head(call.layer, task.kv_head).view(),
                      ask(call, task, scratch_[t]), parts_[i].index, sums_.data() + parts_[i].sums);
        }
      });
  threads_.parallel_for(shared_.size(), 4, [&](std::size_t begin, std::size_t end, std::size_t) {
    for (std::size_t i = begin; i < end; ++i) {
      const SharedHead& head = shared_[i];
      const std::size_t first = head.task->row() * config_.heads + head.task->kv_head * group;
      finish_attend(sums_.data() + head.sums, head.parts, group, config_.head_dim,
                    call.out + first * config_.head_dim);
    }
  });
}

// What a task asks; the answer points into the scratch.
AttendQueries AttentionBlock::ask(const Call& call, const AttentionTask& task, Scratch& scratch) {
  const std::size_t d = config_.head_dim;
  const std::size_t group = config_.heads / config_.kv_heads;
  SequenceCache& cache = *task.segment->segment->cache;
  const std::size_t rows = cache.head(call.layer, task.kv_head).size();
  // Rows held before this pass. A constant head's ring may have dropped one for the new token's.
  const std::size_t before = rows - task.segment->rows();
  const std::size_t queries = task.count * group;
  scratch.asked.resize(queries * d);  // [count][group][head_dim]
  scratch.visible.resize(queries);
  for (std::size_t i = 0; i < task.count; ++i) {
    const std::size_t row = task.segment->first_row + task.begin + i;
    std::copy_n(call.q + (row * config_.heads + task.kv_head * group) * d, group * d,
                scratch.asked.data() + i * group * d);
    std::fill_n(scratch.visible.begin() + static_cast<std::ptrdiff_t>(i * group), group,
                before + task.begin + i + 1);
  }
  scratch.run_ends.assign(1, rows);
  const float scale = 1.0f / std::sqrt(static_cast<float>(d));
  AttendQueries out{scratch.asked.data(), scratch.run_ends.data(), scratch.visible.data(), queries,
                    scale};
  if (task.segment->is_prompt()) return out;
  const std::vector<RowRun> runs = cache.runs_seen_by_index(call.layer, task.kv_head);
  if (runs.empty()) return out;
  scratch.run_ends.clear();
  scratch.turned.clear();  // [runs][group][head_dim]
  for (const RowRun& run : runs) {
    scratch.run_ends.push_back(run.end);
    append_seen_from(rows - 1 + run.gone, *task.segment, scratch.asked.data(), group, scratch);
  }
  out.q = scratch.turned.data();
  out.run_ends = scratch.run_ends.data();
  return out;
}

void AttentionBlock::attend_block(const Call& call, const AttentionTask& task, Scratch& scratch) {
  const std::size_t d = config_.head_dim;
  const std::size_t group = config_.heads / config_.kv_heads;
  SequenceCache& cache = *task.segment->segment->cache;
  const HeadRowsView kv = cache.head(call.layer, task.kv_head).view();
  const AttendQueries asked = ask(call, task, scratch);
  const std::size_t block = asked.queries * d;
  scratch.floats.resize(block + attend_scratch_floats(asked.queries, d) +
                        (task.in_order ? asked.queries * kv.rows : 0));
  float* result = scratch.floats.data();  // [count][group][head_dim]
  float* work = result + block;
  if (task.in_order) {
    float* weights = work + attend_scratch_floats(asked.queries, d);  // [count][group][rows]
    attend_with_weights(kv, asked.q, asked.visible, asked.queries, asked.scale, result, weights,
                        work);
    for (std::size_t i = 0; i < task.count; ++i) {
      cache.observe_attention(call.layer, task.kv_head, weights + i * group * kv.rows, kv.rows);
    }
  } else {
    attend_split(kv, asked.q, asked.run_ends, asked.visible, asked.queries, asked.scale, result,
                 work);
  }
  for (std::size_t i = 0; i < task.count; ++i) {
    const std::size_t row = task.segment->first_row + task.begin + i;
    std::copy_n(result + i * group * d, group * d,
                call.out + (row * config_.heads + task.kv_head * group) * d);
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
