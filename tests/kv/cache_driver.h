// SPDX-License-Identifier: Apache-2.0
// A whole sequence's cache driven token by token with random rows and queries, beside a plain
// shadow that forgets nothing.
#pragma once

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <cstring>
#include <optional>

#include "kernels/quantize.h"
#include "kv/sequence_cache.h"
#include "kv_support.h"

namespace laconic::test {

using Rows = std::vector<std::vector<float>>;  // [position][dim]

struct Kept {
  std::size_t step, layer, kv_head;
  std::vector<std::int32_t> positions;
  bool operator==(const Kept&) const = default;
};

// Feeds a cache. Token `position` has the same rows and queries in every driver of one seed.
class Driver {
 public:
  // `heads` (null: all are full) and `threads` outlive the driver.
  Driver(const KvShape& shape, const KvOptions& options, std::uint64_t seed,
         std::size_t limit_pages = 1 << 20, const HeadSet* heads = nullptr,
         Threads* threads = nullptr)
      : shape_(shape),
        bytes_(row_bytes(kv_dtype(options.type), shape.head_dim)),
        seed_(seed),
        pool_(page_bytes(kv_dtype(options.type), shape.head_dim),
              limit_pages * page_bytes(kv_dtype(options.type), shape.head_dim)),
        options_(options),
        cache_(std::in_place, pool_, shape, options, heads, threads),
        keys_(shape.layers * shape.kv_heads),
        values_(shape.layers * shape.kv_heads) {
    cache_->set_trace([this](std::size_t step, std::size_t layer, std::size_t kv_head,
                             std::span<const std::int32_t> kept) {
      trace_.push_back({step, layer, kv_head, {kept.begin(), kept.end()}});
    });
  }

  bool prompt(std::size_t tokens) {
    if (!cache_->reserve(tokens, /*prompt=*/true)) return false;
    for (std::size_t i = 0; i < tokens; ++i) append(/*prompt=*/true);
    return true;
  }

  bool token() {
    if (!cache_->reserve(1, /*prompt=*/false)) return false;
    append(/*prompt=*/false);
    cache_->end_step();
    return true;
  }

  SequenceCache& cache() { return *cache_; }
  PagePool& pool() { return pool_; }
  std::vector<Kept>& trace() { return trace_; }
  void destroy() { cache_.reset(); }

  // Positions that KV head `index` of [layer][kv_head] holds.
  std::vector<std::int32_t> held(std::size_t index) const {
    const auto held = cache_->head(index / shape_.kv_heads, index % shape_.kv_heads).positions();
    return {held.begin(), held.end()};
  }

  const std::vector<float>& key(std::size_t layer, std::size_t h, std::int32_t position) const {
    return keys_[layer * shape_.kv_heads + h][static_cast<std::size_t>(position)];
  }
  // [layer][heads * dim]
  const Rows& queries(std::int32_t position) const {
    return queries_[static_cast<std::size_t>(position)];
  }

  // Positions ascend, and K and V are the bytes that were appended at them.
  void check_rows() const {
    std::vector<std::byte> k(bytes_), v(bytes_);
    for (std::size_t layer = 0; layer < shape_.layers; ++layer) {
      for (std::size_t h = 0; h < shape_.kv_heads; ++h) {
        const HeadCache& head = cache_->head(layer, h);
        const HeadRowsView view = head.view();
        for (std::size_t i = 0; i < head.size(); ++i) {
          const std::int32_t position = head.positions()[i];
          if (i > 0) RC_ASSERT(head.positions()[i - 1] < position);
          const std::byte* page = view.pages[i / kPageRows];
          const auto at = static_cast<std::size_t>(position);
          quantize_row(view.type, keys_[layer * shape_.kv_heads + h][at].data(), shape_.head_dim,
                       k.data());
          quantize_row(view.type, values_[layer * shape_.kv_heads + h][at].data(), shape_.head_dim,
                       v.data());
          const std::size_t slot = i % kPageRows;
          RC_ASSERT(std::memcmp(page + slot * bytes_, k.data(), bytes_) == 0);
          RC_ASSERT(std::memcmp(page + (kPageRows + slot) * bytes_, v.data(), bytes_) == 0);
        }
      }
    }
  }

  void check_accounting() const {
    std::size_t rows = 0, pages = 0;
    for (std::size_t layer = 0; layer < shape_.layers; ++layer) {
      for (std::size_t h = 0; h < shape_.kv_heads; ++h) {
        rows += cache_->head(layer, h).size();
        pages += cache_->head(layer, h).pages();
      }
    }
    const KvCounters counters = cache_->counters();
    RC_ASSERT(counters.rows == rows);
    RC_ASSERT(counters.bytes == rows * 2 * bytes_);
    RC_ASSERT(counters.allocated_bytes == pages * pool_.page_bytes());
    RC_ASSERT(pool_.pages_used() == pages);
    RC_ASSERT(counters.peak_allocated_bytes == pool_.peak_pages() * pool_.page_bytes());
    RC_ASSERT(counters.bytes <= counters.allocated_bytes);
  }

 private:
  std::vector<float> coarse(SplitMix64& random, std::size_t count) const {
    std::vector<float> out(count);
    for (float& value : out) value = random.coarse();
    return out;
  }

  // The values that a stored row stands for.
  std::vector<float> row(SplitMix64& random) const {
    std::vector<float> out = coarse(random, shape_.head_dim);
    std::vector<std::byte> stored(bytes_);
    const DType type = kv_dtype(options_.type);
    quantize_row(type, out.data(), out.size(), stored.data());
    dequantize(type, stored.data(), out.size(), out.data());
    return out;
  }

  // What the rows of a head get from its group's queries. [group][rows]
  std::vector<float> weights(std::size_t layer, std::size_t h, const std::vector<float>& q) const {
    const std::size_t group = shape_.heads / shape_.kv_heads;
    std::vector<float> out;
    for (std::size_t head = h * group; head < (h + 1) * group; ++head) {
      std::vector<double> logits;
      for (const std::int32_t position : cache_->head(layer, h).positions()) {
        logits.push_back(twin_dot(q.data() + head * shape_.head_dim, key(layer, h, position).data(),
                                  shape_.head_dim) /
                         std::sqrt(static_cast<double>(shape_.head_dim)));
      }
      for (const double weight : twin_softmax(logits)) out.push_back(static_cast<float>(weight));
    }
    return out;
  }

  void hand_over(std::size_t layer, bool prompt, std::int32_t position,
                 const std::vector<float>& q) {
    if (cache_->wants_queries(prompt)) cache_->observe_queries(layer, position, q.data());
    for (std::size_t h = 0; h < shape_.kv_heads; ++h) {
      if (!cache_->wants_attention(prompt, layer, h)) continue;
      cache_->observe_attention(layer, h, weights(layer, h, q).data(),
                                cache_->head(layer, h).size());
    }
  }

  void append(bool prompt) {
    const std::int32_t position = cache_->next_position();
    SplitMix64 random(seed_ * 1000003 + static_cast<std::uint64_t>(position));
    queries_.emplace_back();
    for (std::size_t layer = 0; layer < shape_.layers; ++layer) {
      for (std::size_t h = 0; h < shape_.kv_heads; ++h) {
        Rows& keys = keys_[layer * shape_.kv_heads + h];
        Rows& values = values_[layer * shape_.kv_heads + h];
        keys.push_back(row(random));
        values.push_back(row(random));
        cache_->head(layer, h).append(position, keys.back().data(), values.back().data());
      }
      std::vector<float> q = coarse(random, shape_.heads * shape_.head_dim);
      for (float& value : q) value *= 4.0f;
      hand_over(layer, prompt, position, q);
      queries_.back().push_back(std::move(q));
    }
    cache_->advance(1);
  }

  KvShape shape_;
  std::size_t bytes_;  // of one K or V row
  std::uint64_t seed_;
  PagePool pool_;
  KvOptions options_;
  std::optional<SequenceCache> cache_;
  std::vector<Rows> keys_, values_;  // [layer][kv_head]
  std::vector<Rows> queries_;        // [position]
  std::vector<Kept> trace_;
};

inline KvShape random_shape(KvType type = KvType::kF32) {
  KvShape shape;
  shape.layers = *rc::gen::inRange<std::size_t>(1, 3);
  shape.kv_heads = *rc::gen::inRange<std::size_t>(1, 4);
  shape.heads = shape.kv_heads * *rc::gen::inRange<std::size_t>(1, 4);
  shape.head_dim = whole_blocks(kv_dtype(type), *rc::gen::element<std::size_t>(1, 4, 7, 16, 40));
  return shape;
}

}  // namespace laconic::test
