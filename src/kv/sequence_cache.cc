// SPDX-License-Identifier: Apache-2.0
#include "kv/sequence_cache.h"

#include <algorithm>
#include <cassert>
#include <chrono>

#include "kv/h2o.h"
#include "kv/policy.h"

namespace laconic {
namespace {

// Multiply-adds that are worth a second thread, as in attention: some ten microseconds, against the
// few that waking it costs.
constexpr std::size_t kThreadWork = 128 * 1024;

}  // namespace

SequenceCache::SequenceCache(PagePool& pool, const KvShape& shape, const KvOptions& options,
                             const HeadSet* heads, Threads* threads)
    : pool_(pool),
      threads_(threads),
      shape_(shape),
      options_(options),
      full_heads_(shape.layers),
      queries_(shape.layers),
      query_room_(queries_asked(options, 0)),
      received_(::laconic::wants_attention(options) ? shape.layers * shape.kv_heads : 0) {
  heads_.reserve(shape.layers * shape.kv_heads);
  for (std::size_t layer = 0; layer < shape.layers; ++layer) {
    for (std::size_t h = 0; h < shape.kv_heads; ++h) {
      heads_.emplace_back(pool, kv_dtype(options.type), shape.head_dim);
      if (heads == nullptr || heads->is_full(layer, h)) full_heads_[layer].push_back(h);
    }
  }
  if (options.evicts()) schedule_.emplace(options);
}

bool SequenceCache::reserve(std::size_t tokens, bool prompt) {
  for (HeadCache& head : heads_) {
    if (prompt && !head.become_paged()) return false;
  }
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

bool SequenceCache::is_full_head(std::size_t layer, std::size_t kv_head) const {
  return std::binary_search(full_heads_[layer].begin(), full_heads_[layer].end(), kv_head);
}

std::size_t SequenceCache::most_rows() const {
  std::size_t most = 0;
  for (const HeadCache& head : heads_) most = std::max(most, head.size());
  return most;
}

// Every full head holds the same number of rows under one schedule.
std::size_t SequenceCache::rows_of_full_heads() const {
  for (std::size_t layer = 0; layer < shape_.layers; ++layer) {
    if (!full_heads_[layer].empty()) return head(layer, full_heads_[layer].front()).size();
  }
  return 0;
}

bool SequenceCache::begin_generation(std::uint64_t sequence) {
  if (!begin_rows(sequence)) return false;
  if (schedule_) {
    schedule_.emplace(options_);
    if (const auto stay = schedule_->begin(rows_of_full_heads())) compress(*stay);
  }
  return true;
}

bool SequenceCache::resume_generation(std::uint64_t sequence) {
  if (!begin_rows(sequence)) return false;
  if (schedule_) schedule_.emplace(resumed(options_)).begin(rows_of_full_heads());
  return true;
}

bool SequenceCache::begin_rows(std::uint64_t sequence) {
  count_peak();
  sequence_ = sequence;
  if (!wants_queries(/*prompt=*/true)) {
    for (QueryRing& ring : queries_) ring.pushed = 0;
  }
  for (std::size_t layer = 0; layer < shape_.layers; ++layer) {
    for (std::size_t h = 0; h < shape_.kv_heads; ++h) {
      if (is_full_head(layer, h)) continue;
      if (!head(layer, h).become_constant(options_.head_sink, options_.head_recent)) return false;
    }
  }
  return true;
}

void SequenceCache::restart_counters() {
  peak_bytes_ = peak_allocated_bytes_ = steps_ = compressions_ = 0;
  byte_steps_ = seconds_ = 0;
  for (QueryRing& ring : queries_) ring.pushed = 0;
}

bool SequenceCache::wants_queries(bool prompt) const {
  if (!schedule_ || query_room_ == 0) return false;
  if (prompt) return options_.by_budget() && !options_.protect_prompt;
  return schedule_->wants_query(queries_asked(options_, schedule_->rounds()));
}

void SequenceCache::observe_queries(std::size_t layer, std::int32_t position, const float* q) {
  const std::size_t token = shape_.heads * shape_.head_dim;
  QueryRing& ring = queries_[layer];
  if (position != ring.next_position) ring.pushed = 0;
  ring.next_position = position + 1;
  const std::size_t slot = ring.pushed++ % query_room_;
  if (ring.values.size() == slot * token) ring.values.resize(ring.values.size() + token);
  std::copy_n(q, token, ring.values.data() + slot * token);
}

std::vector<float> SequenceCache::newest_queries(std::size_t layer,
                                                 std::span<const std::size_t> kv_heads,
                                                 std::size_t count) const {
  const QueryRing& ring = queries_[layer];
  assert(ring.pushed >= count);
  const std::size_t dim = shape_.head_dim;
  const std::size_t group = shape_.heads / shape_.kv_heads;
  std::vector<float> newest;
  newest.reserve(kv_heads.size() * group * count * dim);
  for (const std::size_t kv_head : kv_heads) {
    for (std::size_t query_head = kv_head * group; query_head < (kv_head + 1) * group;
         ++query_head) {
      for (std::size_t i = ring.pushed - count; i < ring.pushed; ++i) {
        const std::size_t slot = i % query_room_;
        const float* from = ring.values.data() + (slot * shape_.heads + query_head) * dim;
        newest.insert(newest.end(), from, from + dim);
      }
    }
  }
  return newest;
}

bool SequenceCache::wants_attention(bool prompt, std::size_t layer, std::size_t kv_head) const {
  // Sums of rows that can never go are not needed.
  return !received_.empty() && !(prompt && options_.protect_prompt) && is_full_head(layer, kv_head);
}

void SequenceCache::observe_attention(std::size_t layer, std::size_t kv_head, const float* weights,
                                      std::size_t rows) {
  add_received(received_[layer * shape_.kv_heads + kv_head], weights, rows,
               shape_.heads / shape_.kv_heads, /*stride=*/rows, options_);
}

std::span<const float> SequenceCache::received(std::size_t layer, std::size_t kv_head) const {
  if (received_.empty()) return {};
  return received_[layer * shape_.kv_heads + kv_head];
}

void SequenceCache::restore_received(std::size_t layer, std::size_t kv_head,
                                     std::span<const float> sums) {
  assert(!received_.empty() && sums.size() == head(layer, kv_head).size());
  received_[layer * shape_.kv_heads + kv_head].assign(sums.begin(), sums.end());
}

std::vector<RowRun> SequenceCache::runs_seen_by_index(std::size_t layer,
                                                      std::size_t kv_head) const {
  if (options_.positions != KvPositions::kCache || !is_full_head(layer, kv_head)) return {};
  const std::span<const std::int32_t> positions = head(layer, kv_head).positions();
  const std::size_t rows = positions.size();
  const auto gone = [&](std::size_t row) { return static_cast<std::size_t>(positions[row]) - row; };
  if (rows == 0 || gone(rows - 1) == 0) return {};
  std::vector<RowRun> runs;
  for (std::size_t begin = 0; begin < rows; begin = runs.back().end) {
    std::size_t low = begin + 1, high = rows;  // rows below low are of the run, high is not
    while (low < high) {
      const std::size_t middle = low + (high - low) / 2;
      if (gone(middle) == gone(begin)) {  // positions ascend: so are the rows between
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    runs.push_back({low, gone(begin)});
  }
  return runs;
}

bool SequenceCache::end_step() {
  const std::optional<std::size_t> stay =
      schedule_ ? schedule_->token_appended(rows_of_full_heads()) : std::optional<std::size_t>();
  count_step();
  return stay && compress(*stay);
}

bool SequenceCache::compress(std::size_t stay) {
  const auto start = std::chrono::steady_clock::now();
  const bool evicts = stay < rows_of_full_heads();
  const auto compress_layers = [&](std::size_t begin, std::size_t end, std::size_t) {
    for (std::size_t layer = begin; layer < end; ++layer) {
      if (!full_heads_[layer].empty()) compress_layer(layer, stay);
    }
  };
  if (threads_ != nullptr) {
    threads_->parallel_for(shape_.layers, layers_per_thread(), compress_layers);
  } else {
    compress_layers(0, shape_.layers, 0);
  }
  // In an order that no thread changes: the pool hands its pages out again as they came back.
  for (HeadCache& head : heads_) head.release_tail();
  schedule_->compressed();
  ++compressions_;
  seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (trace_) trace_kept();
  return evicts;
}

std::size_t SequenceCache::layers_per_thread() const {
  const std::size_t rows = rows_of_full_heads();
  // Each row is looked at by each query of its group, or moved; rkv looks at all others too.
  const std::size_t queries =
      queries_asked(options_, schedule_->rounds()) * (shape_.heads / shape_.kv_heads);
  const std::size_t others = options_.policy == KvPolicy::kRkv && options_.lambda < 1 ? rows : 0;
  const std::size_t layer =
      shape_.kv_heads * rows * shape_.head_dim * std::max<std::size_t>(1, queries + others);
  return kThreadWork / std::max<std::size_t>(1, layer) + 1;
}

void SequenceCache::trace_kept() const {
  for (std::size_t layer = 0; layer < shape_.layers; ++layer) {
    for (const std::size_t h : full_heads_[layer]) {
      trace_(schedule_->generated(), layer, h, head(layer, h).positions());
    }
  }
}

void SequenceCache::compress_layer(std::size_t layer, std::size_t stay) {
  const std::vector<std::size_t>& full = full_heads_[layer];
  std::vector<HeadRowsView> views;
  std::vector<std::span<const float>> received;
  for (const std::size_t h : full) {
    views.push_back(head(layer, h).view());
    if (!received_.empty()) received.emplace_back(received_[layer * shape_.kv_heads + h]);
  }
  Trigger trigger;
  trigger.heads = views;
  trigger.head_ids = full;
  trigger.received = received;
  trigger.query_count =
      std::min(queries_asked(options_, schedule_->rounds()), queries_[layer].pushed);
  const std::vector<float> queries = newest_queries(layer, full, trigger.query_count);
  trigger.queries = queries;
  trigger.query_heads = full.size() * (shape_.heads / shape_.kv_heads);
  trigger.protected_rows = protected_rows(options_, schedule_->prompt_rows());
  trigger.stay = stay;
  trigger.round = schedule_->rounds();
  trigger.layer = layer;
  trigger.sequence = sequence_;
  const Selection selection = select_rows(trigger, options_);
  for (std::size_t i = 0; i < full.size(); ++i) keep_rows(layer, full[i], selection.kept[i]);
}

void SequenceCache::keep_rows(std::size_t layer, std::size_t kv_head,
                              std::span<const std::int32_t> kept) {
  assert(kept.size() <= head(layer, kv_head).size());
  head(layer, kv_head).move_rows(kept);
  if (received_.empty()) return;
  std::vector<float>& sums = received_[layer * shape_.kv_heads + kv_head];
  for (std::size_t to = rows_in_place(kept); to < kept.size(); ++to) {
    sums[to] = sums[static_cast<std::size_t>(kept[to])];
  }
  sums.resize(kept.size());
}

KvCounters SequenceCache::counters() const {
  KvCounters now;
  for (const HeadCache& head : heads_) {
    now.rows += head.size();
    now.allocated_bytes += head.allocated_bytes();
  }
  now.bytes = now.rows * 2 * row_bytes(kv_dtype(options_.type), shape_.head_dim);
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
