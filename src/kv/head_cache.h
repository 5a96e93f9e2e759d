// SPDX-License-Identifier: Apache-2.0
// The rows of one (sequence, layer, KV head): K after RoPE at its true position, V, position.
//
// A head is an independent list whose rows lie in pages of one pool. Rows are written once, as
// stored type, and never changed; compaction moves them towards the front and gives pages back.
//
// A constant head (RLKV, arXiv 2510.08525; DuoAttention, arXiv 2410.10819) holds the
// first `sink` rows of its text and the newest `recent` ones, in one block of exactly that many
// rows. A new row takes the place of the one that leaves the window, so that a query at position p
// sees {k < sink} and {k > p - recent}: the window counts the token itself. While a prompt is read
// the head is a list like any other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/dtype.h"
#include "kernels/attention.h"
#include "kv/page_pool.h"

namespace laconic {

// Error(kUsage) where rows of that type cannot have that size.
void check_row_type(DType type, std::size_t head_dim);

class HeadCache {
 public:
  HeadCache(PagePool& pool, DType type, std::size_t head_dim);
  ~HeadCache();
  HeadCache(HeadCache&& other) noexcept;
  HeadCache& operator=(HeadCache&&) = delete;
  HeadCache(const HeadCache&) = delete;

  // Pages that the pool must still give before `rows` more rows fit. A constant head needs none.
  std::size_t pages_missing(std::size_t rows) const;

  // Makes room for `rows` more rows. False, and nothing changed, when the pool is full.
  bool reserve(std::size_t rows);

  // Appends a row; in a full block, in the place of the oldest one that is no sink.
  // PRECONDITION: reserve() covered it; position is above the last one.
  void append(std::int32_t position, const float* k /* [head_dim] */,
              const float* v /* [head_dim] */);
  // The same from rows as they are stored. [row_bytes(type, head_dim)] each
  void append_stored(std::int32_t position, const std::byte* k, const std::byte* v);

  // Keeps the rows of `keep` (strictly ascending cache indices), in place; tail pages go back.
  // PRECONDITION: the head is not constant.
  void compact(std::span<const std::int32_t> keep) {
    move_rows(keep);
    release_tail();
  }
  // Its two steps: the first one works on this head alone, so that others may move meanwhile.
  void move_rows(std::span<const std::int32_t> keep);
  void release_tail();

  // Moves the first `sink` and the newest `recent` rows into a block; the pages go back. False, and
  // nothing changed, when the pool has no room for the block beside what others hold: never if this
  // head's pages hold sink + recent rows or more. A constant head stays as it is.
  // PRECONDITION: recent > 0.
  bool become_constant(std::size_t sink, std::size_t recent);

  // The way back, with the rows in order of position. False, and nothing changed, when the pool has
  // no room for the pages. A head in pages stays as it is.
  bool become_paged();

  bool is_constant() const { return block_ != nullptr; }
  std::size_t size() const { return positions_.size(); }
  std::size_t pages() const { return is_constant() ? 0 : pages_.size(); }
  std::size_t bytes() const;            // of the rows held, K and V
  std::size_t allocated_bytes() const;  // of the pages, or of the block

  // By cache row: ascending in pages. In the block position p lies in row
  //   p < sink ? p : sink + (p - sink) % recent
  // (order is nothing to attention: a key carries its position).
  std::span<const std::int32_t> positions() const { return positions_; }
  // The cache row of the i-th row by position.
  std::size_t row_in_order(std::size_t i) const;
  HeadRowsView view() const;

 private:
  std::byte* row(std::size_t index, bool value) const;  // K or V row
  std::size_t value_rows() const { return is_constant() ? block_rows_ : kPageRows; }
  std::size_t block_bytes() const;
  std::size_t claim_row(std::int32_t position);  // where a new row goes
  PagePool* pool_;
  DType type_;
  std::size_t head_dim_;
  std::vector<std::byte*> pages_;  // of a constant head: the block, every kPageRows rows
  std::vector<std::int32_t> positions_;
  RowMemory block_;  // K [block_rows_][head_dim], then V; null: in pages
  std::size_t block_rows_ = 0, sink_ = 0;
  std::size_t oldest_ = 0;  // the row of a full block that the next one overwrites
};

}  // namespace laconic
