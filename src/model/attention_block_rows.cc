// SPDX-License-Identifier: Apache-2.0
// What comes before attention: biases, norms and RoPE, rows into the caches, queries to the
// policies.
#include <algorithm>
#include <cmath>

#include "kernels/elementwise.h"
#include "model/attention_block.h"

namespace laconic {
namespace {

// Angles that are worth a second thread.
constexpr std::size_t kAngles = 128;

}  // namespace

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

void AttentionBlock::hand_over_queries(const Call& call, const PlacedSegment& placed) {
  SequenceCache& cache = *placed.segment->cache;
  if (!cache.wants_queries(placed.is_prompt())) return;
  for (std::size_t i = placed.rows() - std::min(placed.rows(), cache.query_room());
       i < placed.rows(); ++i) {
    const std::size_t row = placed.first_row + i;
    cache.observe_queries(call.layer, placed.first_position + static_cast<std::int32_t>(i),
                          call.q + row * config_.heads * config_.head_dim);
  }
}

void AttentionBlock::prepare(const Call& call, std::size_t row, std::size_t kv_head) const {
  const LayerWeights& weights = call.weights;
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
    float* query = call.q + (row * config_.heads + h) * d;
    add_bias(query, weights.q_bias, h);
    norm_and_rotate(query, weights.q_norm);
  }
  const std::size_t place = (row * config_.kv_heads + kv_head) * d;
  add_bias(call.k + place, weights.k_bias, kv_head);
  norm_and_rotate(call.k + place, weights.k_norm);
  add_bias(call.v + place, weights.v_bias, kv_head);
}

void AttentionBlock::append(const Call& call, const PlacedSegment& placed,
                            std::size_t kv_head) const {
  HeadCache& head = placed.segment->cache->head(call.layer, kv_head);
  for (std::size_t row = placed.first_row; row < placed.first_row + placed.rows(); ++row) {
    const std::size_t place = (row * config_.kv_heads + kv_head) * config_.head_dim;
    head.append(call.batch.positions[row], call.k + place, call.v + place);
  }
}

// A prompt's rows are prepared in any order, and appended in theirs.
void AttentionBlock::prepare_prompts(const Call& call) {
  const BatchLayout& batch = call.batch;
  if (batch.decode_rows == batch.rows()) return;
  const std::size_t kv_heads = config_.kv_heads;
  const std::size_t group = config_.heads / kv_heads;
  const std::size_t heads = (batch.rows() - batch.decode_rows) * kv_heads;
  const std::size_t work = heads * (group + 2) * config_.head_dim * kPrepareWork;
  threads_.parallel_for(heads, grain_of(heads, work),
                        [&](std::size_t begin, std::size_t end, std::size_t) {
                          for (std::size_t i = begin; i < end; ++i) {
                            prepare(call, batch.decode_rows + i / kv_heads, i % kv_heads);
                          }
                        });
  const std::size_t first = batch.decode_rows;  // segments of decode rows have one each
  const std::size_t tasks = (batch.segments.size() - first) * kv_heads;
  threads_.parallel_for(tasks, grain_of(tasks, work),
                        [&](std::size_t begin, std::size_t end, std::size_t) {
                          for (std::size_t i = begin; i < end; ++i) {
                            append(call, batch.segments[first + i / kv_heads], i % kv_heads);
                          }
                        });
}

}  // namespace laconic
