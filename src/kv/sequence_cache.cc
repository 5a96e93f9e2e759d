// SPDX-License-Identifier: Apache-2.0
#include "kv/sequence_cache.h"

#include <algorithm>
#include <cassert>
#include <chrono>

#include "kv/policy.h"

namespace laconic {

SequenceCache::SequenceCache(PagePool& pool, const KvShape& shape, const KvOptions& options)
    : pool_(pool),
      shape_(shape),
      options_(options),
      queries_(shape.layers),
      query_counts_(shape.layers) {
  heads_.reserve(shape.layers * shape.kv_heads);
  for (std::size_t i = 0; i < shape.layers * shape.kv_heads; ++i) {
    heads_.emplace_back(pool, kv_dtype(options.type), shape.head_dim);
  }
  if (options.policy != KvPolicy::kFull) schedule_.emplace(options);
}

bool SequenceCache::reserve(std::size_t tokens) {
  std::size_t missing = 0;
  for (const HeadCache& head : heads_) missing += head.pages_missing(tokens);
  if (missing > pool_.pages_free()) return false;
  for (HeadCache& head : heads_) {
    [[maybe_unused]] const bool fits = head.reserve(tokens);
    assert(fits);
  }
  count_peak();
  return true;
}

HeadCache& SequenceCache::head(std::size_t layer, std::size_t kv_head) {
  assert(layer < shape_.layers && kv_head < shape_.kv_heads);
  return heads_[layer * shape_.kv_heads + kv_head];
}

const HeadCache& SequenceCache::head(std::size_t layer, std::size_t kv_head) const {
  assert(layer < shape_.layers && kv_head < shape_.kv_heads);
  return heads_[layer * shape_.kv_heads + kv_head];
}

void SequenceCache::begin_generation(std::uint64_t sequence) {
  count_peak();
  sequence_ = sequence;
  std::fill(query_counts_.begin(), query_counts_.end(), 0);
  // Every head holds the same number of rows under one schedule.
  if (schedule_) schedule_->begin(heads_.front().size());
}

void SequenceCache::restart_counters() {
  peak_bytes_ = peak_allocated_bytes_ = steps_ = compressions_ = 0;
  byte_steps_ = seconds_ = 0;
}

bool SequenceCache::wants_queries() const {
  return schedule_ && queries_asked(options_, schedule_->rounds()) > 0 && schedule_->wants_query();
}

void SequenceCache::observe_queries(std::size_t layer, const float* q) {
  const std::size_t token = shape_.heads * shape_.head_dim;
  const std::size_t slot = query_counts_[layer]++ % options_.window;
  std::vector<float>& ring = queries_[layer];
  if (ring.size() == slot * token) ring.resize(ring.size() + token);
  std::copy_n(q, token, ring.data() + slot * token);
}

std::vector<float> SequenceCache::newest_queries(std::size_t layer, std::size_t count) const {
  assert(query_counts_[layer] >= count);
  const std::size_t dim = shape_.head_dim;
  const std::size_t oldest = query_counts_[layer] - count;
  std::vector<float> newest(shape_.heads * count * dim);
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t slot = (oldest + i) % options_.window;
    for (std::size_t head = 0; head < shape_.heads; ++head) {
      const float* from = queries_[layer].data() + (slot * shape_.heads + head) * dim;
      std::copy_n(from, dim, newest.data() + (head * count + i) * dim);
    }
  }
  return newest;
}

bool SequenceCache::end_step() {
  const std::optional<std::size_t> keep =
      schedule_ ? schedule_->token_appended() : std::optional<std::size_t>();
  count_step();
  if (!keep) return false;
  const auto start = std::chrono::steady_clock::now();
  const bool evicted = compress(*keep);
  schedule_->compressed();
  ++compressions_;
  seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return evicted;
}

bool SequenceCache::compress(std::size_t keep) {
  const std::size_t asked = queries_asked(options_, schedule_->rounds());
  bool evicted = false;
  for (std::size_t layer = 0; layer < shape_.layers; ++layer) {
    std::vector<HeadRowsView> views;
    for (std::size_t h = 0; h < shape_.kv_heads; ++h) views.push_back(head(layer, h).view());
    const std::vector<float> queries = newest_queries(layer, asked);
    Trigger trigger;
    trigger.heads = views;
    trigger.queries = queries;
    trigger.query_heads = shape_.heads;
    trigger.first_candidate = options_.protect_prompt ? schedule_->prompt_rows() : 0;
    trigger.keep = keep;
    trigger.round = schedule_->rounds();
    trigger.layer = layer;
    trigger.sequence = sequence_;
    const Selection selection = select_rows(trigger, options_);
    for (std::size_t h = 0; h < shape_.kv_heads; ++h) {
      const std::vector<std::int32_t>& kept = selection.kept[h];
      evicted = evicted || kept.size() < head(layer, h).size();
      if (trace_) {
        std::vector<std::int32_t> positions;
        for (std::int32_t row : kept) {
          positions.push_back(head(layer, h).positions()[static_cast<std::size_t>(row)]);
        }
        trace_(schedule_->generated(), layer, h, positions);
      }
      head(layer, h).compact(kept);
    }
  }
  return evicted;
}

KvCounters SequenceCache::counters() const {
  KvCounters now;
  std::size_t pages = 0;
  for (const HeadCache& head : heads_) {
    now.rows += head.size();
    pages += head.pages();
  }
  now.bytes = now.rows * 2 * row_bytes(kv_dtype(options_.type), shape_.head_dim);
  now.allocated_bytes = pages * pool_.page_bytes();
  now.peak_bytes = std::max(peak_bytes_, now.bytes);
  now.peak_allocated_bytes = std::max(peak_allocated_bytes_, now.allocated_bytes);
  now.mean_bytes =
      steps_ == 0 ? static_cast<double>(now.bytes) : byte_steps_ / static_cast<double>(steps_);
  now.compressions = compressions_;
  now.seconds = seconds_;
  return now;
}

std::size_t SequenceCache::count_peak() {
  const KvCounters now = counters();
  peak_bytes_ = now.peak_bytes;
  peak_allocated_bytes_ = now.peak_allocated_bytes;
  return now.bytes;
}

void SequenceCache::count_step() {
  byte_steps_ += static_cast<double>(count_peak());
  ++steps_;
}

}  // namespace laconic
