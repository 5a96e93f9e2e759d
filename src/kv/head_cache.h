// SPDX-License-Identifier: Apache-2.0
// The rows of one (sequence, layer, KV head): K after RoPE at its true position, V, position.
//
// A head is an independent list whose rows lie in pages of one pool. Rows are written once, as
// stored type, and never changed; compaction moves them towards the front and gives pages back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/dtype.h"
#include "kernels/attention.h"
#include "kv/page_pool.h"

namespace laconic {

class HeadCache {
 public:
  HeadCache(PagePool& pool, DType type, std::size_t head_dim);
  ~HeadCache();
  HeadCache(HeadCache&& other) noexcept;
  HeadCache& operator=(HeadCache&&) = delete;
  HeadCache(const HeadCache&) = delete;

  // Pages that the pool must still give before `rows` more rows fit.
  std::size_t pages_missing(std::size_t rows) const;

  // Makes room for `rows` more rows. False, and nothing changed, when the pool is full.
  bool reserve(std::size_t rows);

  // Appends a row. PRECONDITION: reserve() covered it; position is above the last one.
  void append(std::int32_t position, const float* k /* [head_dim] */,
              const float* v /* [head_dim] */);

  // Keeps the rows of `keep` (strictly ascending cache indices), in place; tail pages go back.
  void compact(std::span<const std::int32_t> keep);

  std::size_t size() const { return positions_.size(); }
  std::size_t pages() const { return pages_.size(); }
  std::span<const std::int32_t> positions() const { return positions_; }
  HeadRowsView view() const;

 private:
  std::byte* row(std::size_t index, bool value) const;  // K or V row
  PagePool* pool_;
  DType type_;
  std::size_t head_dim_;
  std::vector<std::byte*> pages_;
  std::vector<std::int32_t> positions_;
};

}  // namespace laconic
