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

// Rows [begin, begin + count) of a segment, for one KV head.
struct AttentionTask {
  const PlacedSegment* segment;
  std::size_t kv_head, begin, count;
};

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
  for (const PlacedSegment& placed : batch.segments) {
    SequenceCache& cache = *placed.segment->cache;
    if (placed.segment->kind == RowKind::kDecode && cache.wants_queries()) {
      cache.observe_queries(layer, q + placed.first_row * config_.heads * config_.head_dim);
    }
  }
  attend_rows(layer, batch, q, out);
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

void AttentionBlock::attend_rows(std::size_t layer, const BatchLayout& batch, const float* q,
                                 float* out) {
  const std::size_t d = config_.head_dim;
  const std::size_t heads = config_.heads;
  const std::size_t group = heads / config_.kv_heads;
  const float scale = 1.0f / std::sqrt(static_cast<float>(d));

  std::vector<AttentionTask> tasks;
  std::size_t work = 0;  // multiply-adds of all tasks, from above
  for (const PlacedSegment& placed : batch.segments) {
    const std::size_t held = placed.segment->cache->head(layer, 0).size();
    work += placed.rows() * heads * held * d * 2;
    for (std::size_t begin = 0; begin < placed.rows(); begin += kPromptRowsPerTask) {
      const std::size_t count = std::min(kPromptRowsPerTask, placed.rows() - begin);
      for (std::size_t h = 0; h < config_.kv_heads; ++h) {
        tasks.push_back({&placed, h, begin, count});
      }
    }
  }

  const auto run_task = [&](const AttentionTask& task, std::vector<float>& scratch) {
    const std::size_t queries = task.count * group;
    const std::size_t block = queries * d;
    scratch.resize(2 * block + attend_scratch_floats(queries, d));
    float* gathered = scratch.data();  // [count][group][head_dim]
    float* result = gathered + block;  // [count][group][head_dim]
    const HeadRowsView kv = task.segment->segment->cache->head(layer, task.kv_head).view();
    const std::size_t before = kv.rows - task.segment->rows();  // rows held before this pass
    std::vector<std::size_t> visible(queries);
    for (std::size_t i = 0; i < task.count; ++i) {
      const std::size_t row = task.segment->first_row + task.begin + i;
      const float* from = q + (row * heads + task.kv_head * group) * d;
      std::copy_n(from, group * d, gathered + i * group * d);
      for (std::size_t g = 0; g < group; ++g) {
        visible[i * group + g] = before + task.begin + i + 1;
      }
    }
    attend(kv, gathered, visible.data(), queries, scale, result, result + block);
    for (std::size_t i = 0; i < task.count; ++i) {
      const std::size_t row = task.segment->first_row + task.begin + i;
      std::copy_n(result + i * group * d, group * d,
                  out + (row * heads + task.kv_head * group) * d);
    }
  };
  const std::size_t grain = kThreadWork * tasks.size() / std::max<std::size_t>(work, 1) + 1;
  threads_.parallel_for(tasks.size(), grain,
                        [&](std::size_t begin, std::size_t end, std::size_t t) {
                          for (std::size_t i = begin; i < end; ++i) run_task(tasks[i], scratch_[t]);
                        });
}

}  // namespace laconic
