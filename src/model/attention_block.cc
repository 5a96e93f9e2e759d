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

// KV heads with their queries, and angles, that are worth a second thread: some microseconds.
constexpr std::size_t kHeadsToPrepare = 16;
constexpr std::size_t kAngles = 128;

// A head is shared between threads if it is more than this part of what one thread should do: whole
// heads then leave the last thread at most so much to do alone.
constexpr std::size_t kTasksPerThread = 8;

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
  const std::size_t grain = kAngles / std::max<std::size_t>(half, 1) + 1;
  threads_.parallel_for(
      positions.size(), grain, [&](std::size_t begin, std::size_t end, std::size_t) {
        for (std::size_t row = begin; row < end; ++row) {
          for (std::size_t i = 0; i < half; ++i) {
            const double angle = positions[row] * rope_.inverse_frequency[i];
            cos_[row * half + i] = static_cast<float>(std::cos(angle) * rope_.magnitude);
            sin_[row * half + i] = static_cast<float>(std::sin(angle) * rope_.magnitude);
          }
        }
      });
}

void AttentionBlock::run(std::size_t layer, const LayerWeights& weights, const BatchLayout& batch,
                         float* q, float* k, float* v, float* out) {
  const std::size_t heads = batch.rows() * config_.kv_heads;
  threads_.parallel_for(heads, kHeadsToPrepare,
                        [&](std::size_t begin, std::size_t end, std::size_t) {
                          for (std::size_t i = begin; i < end; ++i) {
                            prepare(weights, i / config_.kv_heads, i % config_.kv_heads, q, k, v);
                          }
                        });
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

void AttentionBlock::prepare(const LayerWeights& weights, std::size_t row, std::size_t kv_head,
                             float* q, float* k, float* v) const {
  const std::size_t d = config_.head_dim;
  const std::size_t group = config_.heads / config_.kv_heads;
  const float* cos = cos_.data() + row * (d / 2);
  const float* sin = sin_.data() + row * (d / 2);
  const auto add_bias = [&](float* to, const std::vector<float>& bias, std::size_t head) {
    if (!bias.empty()) add_in_place(to, bias.data() + head * d, d);
  };
  const auto norm_and_rotate = [&](float* head, const std::vector<float>& norm) {
    if (!norm.empty()) rms_norm(head, norm.data(), config_.norm_eps, d, head);
    rope_in_place(head, cos, sin, d);
  };
  for (std::size_t h = kv_head * group; h < (kv_head + 1) * group; ++h) {
    float* query = q + (row * config_.heads + h) * d;
    add_bias(query, weights.q_bias, h);
    norm_and_rotate(query, weights.q_norm);
  }
  const std::size_t place = (row * config_.kv_heads + kv_head) * d;
  add_bias(k + place, weights.k_bias, kv_head);
  norm_and_rotate(k + place, weights.k_norm);
  add_bias(v + place, weights.v_bias, kv_head);
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

void AttentionBlock::share_long_heads(std::size_t layer) {
  shared_.clear();
  if (threads_.size() == 1) return;
  const auto rows_of = [&](const AttentionTask& task) {
    return task.segment->segment->cache->head(layer, task.kv_head).size();
  };
  std::size_t all = 0;  // rows that queries visit
  for (const AttentionTask& task : tasks_) all += task.count * rows_of(task);
  const std::size_t group = config_.heads / config_.kv_heads;
  const std::size_t floats = attend_part_floats(group, config_.head_dim);
  std::size_t sums = 0;
  std::swap(tasks_, whole_);
  tasks_.clear();
  for (AttentionTask task : whole_) {
    const std::size_t rows = rows_of(task);
    const std::size_t parts = parts_of(rows);
    if (task.in_order || task.count > 1 || parts == 1 ||
        rows * kTasksPerThread * threads_.size() <= all) {
      tasks_.push_back(task);
      continue;
    }
    shared_.push_back({task.segment->first_row + task.begin, task.kv_head, sums, parts});
    for (task.part = 0; task.part < parts; ++task.part, sums += floats) {
      task.sums = sums;
      tasks_.push_back(task);
    }
  }
  if (sums_.size() < sums) sums_.resize(sums);
}

void AttentionBlock::attend_rows(std::size_t layer, const BatchLayout& batch, const float* q,
                                 float* out) {
  plan_tasks(layer, batch);
  share_long_heads(layer);
  std::size_t work = 0;  // multiply-adds of all tasks, from above
  for (const AttentionTask& task : tasks_) {
    const std::size_t held = task.segment->segment->cache->head(layer, task.kv_head).size();
    const std::size_t rows = task.sums == AttentionTask::kNone ? held : std::min(held, kPartRows);
    work += task.count * config_.heads / config_.kv_heads * rows * config_.head_dim * 2;
  }
  const std::size_t grain = kThreadWork * tasks_.size() / std::max<std::size_t>(work, 1) + 1;
  threads_.parallel_for(tasks_.size(), grain,
                        [&](std::size_t begin, std::size_t end, std::size_t t) {
                          for (std::size_t i = begin; i < end; ++i) {
                            run_task(layer, tasks_[i], q, out, scratch_[t]);
                          }
                        });
  const std::size_t group = config_.heads / config_.kv_heads;
  threads_.parallel_for(shared_.size(), 4, [&](std::size_t begin, std::size_t end, std::size_t) {
    for (std::size_t i = begin; i < end; ++i) {
      const SharedHead& head = shared_[i];
      const std::size_t first = head.row * config_.heads + head.kv_head * group;
      finish_attend(sums_.data() + head.sums, head.parts, group, config_.head_dim,
                    out + first * config_.head_dim);
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

// What a task asks; the answer points into the scratch.
AttendQueries AttentionBlock::ask(std::size_t layer, const AttentionTask& task, const float* q,
                                  Scratch& scratch) {
  const std::size_t d = config_.head_dim;
  const std::size_t group = config_.heads / config_.kv_heads;
  SequenceCache& cache = *task.segment->segment->cache;
  const std::size_t rows = cache.head(layer, task.kv_head).size();
  // Rows held before this pass. A constant head's ring may have dropped one for the new token's.
  const std::size_t before = rows - task.segment->rows();
  const std::size_t queries = task.count * group;
  scratch.asked.resize(queries * d);  // [count][group][head_dim]
  scratch.visible.resize(queries);
  for (std::size_t i = 0; i < task.count; ++i) {
    const std::size_t row = task.segment->first_row + task.begin + i;
    std::copy_n(q + (row * config_.heads + task.kv_head * group) * d, group * d,
                scratch.asked.data() + i * group * d);
    std::fill_n(scratch.visible.begin() + static_cast<std::ptrdiff_t>(i * group), group,
                before + task.begin + i + 1);
  }
  scratch.run_ends.assign(1, rows);
  const float scale = 1.0f / std::sqrt(static_cast<float>(d));
  AttendQueries out{scratch.asked.data(), scratch.run_ends.data(), scratch.visible.data(), queries,
                    scale};
  if (is_prompt(*task.segment)) return out;
  const std::vector<RowRun> runs = cache.runs_seen_by_index(layer, task.kv_head);
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

void AttentionBlock::attend_block(std::size_t layer, const AttentionTask& task, const float* q,
                                  float* out, Scratch& scratch) {
  const std::size_t d = config_.head_dim;
  const std::size_t group = config_.heads / config_.kv_heads;
  SequenceCache& cache = *task.segment->segment->cache;
  const HeadRowsView kv = cache.head(layer, task.kv_head).view();
  const AttendQueries asked = ask(layer, task, q, scratch);
  if (task.sums != AttentionTask::kNone) {
    attend_part(kv, asked, task.part, sums_.data() + task.sums);
    return;
  }
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
      cache.observe_attention(layer, task.kv_head, weights + i * group * kv.rows, kv.rows);
    }
  } else {
    attend_split(kv, asked.q, asked.run_ends, asked.visible, asked.queries, asked.scale, result,
                 work);
  }
  for (std::size_t i = 0; i < task.count; ++i) {
    const std::size_t row = task.segment->first_row + task.begin + i;
    std::copy_n(result + i * group * d, group * d,
                out + (row * config_.heads + task.kv_head * group) * d);
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
