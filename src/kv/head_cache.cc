// SPDX-License-Identifier: Apache-2.0
#include "kv/head_cache.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <utility>

#include "base/error.h"
#include "kernels/quantize.h"
#include "kv/selection.h"

namespace laconic {
namespace {

constexpr std::size_t pages_for(std::size_t rows) { return (rows + kPageRows - 1) / kPageRows; }

// reserve() in steps that double: one more page does not copy the whole table.
template <typename T>
void make_room(std::vector<T>& table, std::size_t entries) {
  if (table.capacity() < entries) table.reserve(std::max(entries, 2 * table.capacity()));
}

}  // namespace

void check_row_type(DType type, std::size_t head_dim) {
  const std::size_t block = block_elements(type);
  if (head_dim % block == 0) return;
  throw_usage("--kv-type {} stores blocks of {} elements, and the model's head_dim is {}",
              dtype_name(type), block, head_dim);
}

HeadCache::HeadCache(PagePool& pool, DType type, std::size_t head_dim)
    : pool_(&pool), type_(type), head_dim_(head_dim) {
  assert(pool.page_bytes() == page_bytes(type, head_dim));
}

HeadCache::HeadCache(HeadCache&& other) noexcept
    : pool_(other.pool_),
      type_(other.type_),
      head_dim_(other.head_dim_),
      pages_(std::exchange(other.pages_, {})),
      positions_(std::exchange(other.positions_, {})),
      block_(std::move(other.block_)),
      block_rows_(other.block_rows_),
      sink_(other.sink_),
      oldest_(other.oldest_) {}

HeadCache::~HeadCache() {
  if (is_constant()) {
    pool_->release_block(block_bytes());
  } else {
    for (std::byte* page : pages_) pool_->release(page);
  }
}

std::size_t HeadCache::pages_missing(std::size_t rows) const {
  if (is_constant()) return 0;
  const std::size_t needed = pages_for(size() + rows);
  return needed > pages_.size() ? needed - pages_.size() : 0;
}

bool HeadCache::reserve(std::size_t rows) {
  const std::size_t missing = pages_missing(rows);
  if (missing > pool_->pages_free()) return false;
  if (is_constant()) return true;
  make_room(pages_, pages_.size() + missing);
  for (std::size_t i = 0; i < missing; ++i) pages_.push_back(pool_->allocate());
  make_room(positions_, pages_.size() * kPageRows);  // so that append() cannot run out of memory
  return true;
}

std::size_t HeadCache::claim_row(std::int32_t position) {
  if (!is_constant() || size() < block_rows_) {
    assert(is_constant() || size() < pages_.size() * kPageRows);
    assert(positions_.empty() || positions_.back() < position);
    positions_.push_back(position);
    return size() - 1;
  }
  assert(positions_[row_in_order(block_rows_ - 1)] < position);
  const std::size_t index = oldest_;
  positions_[index] = position;
  oldest_ = index + 1 == block_rows_ ? sink_ : index + 1;
  return index;
}

void HeadCache::append(std::int32_t position, const float* k, const float* v) {
  const std::size_t index = claim_row(position);
  quantize_row(type_, k, head_dim_, row(index, false));
  quantize_row(type_, v, head_dim_, row(index, true));
}

void HeadCache::append_stored(std::int32_t position, const std::byte* k, const std::byte* v) {
  const std::size_t index = claim_row(position);
  std::memcpy(row(index, false), k, row_bytes(type_, head_dim_));
  std::memcpy(row(index, true), v, row_bytes(type_, head_dim_));
}

void HeadCache::move_rows(std::span<const std::int32_t> keep) {
  assert(!is_constant());
  const std::size_t bytes = row_bytes(type_, head_dim_);
  const auto left = [&](std::size_t to) { return kPageRows - to % kPageRows; };  // in its page
  // Kept rows ascend, so a destination never lies above its source, and what a row overwrites was
  // either dropped or has moved already. Neighbours that stay neighbours move together.
  for (std::size_t to = rows_in_place(keep); to < keep.size();) {
    const auto from = static_cast<std::size_t>(keep[to]);
    assert(from > to && from < size());
    const std::size_t most = std::min({keep.size() - to, left(to), left(from)});
    std::size_t count = 1;
    while (count < most && keep[to + count] == keep[to] + static_cast<std::int32_t>(count)) ++count;
    std::memmove(row(to, false), row(from, false), count * bytes);
    std::memmove(row(to, true), row(from, true), count * bytes);
    std::copy_n(positions_.begin() + static_cast<std::ptrdiff_t>(from), count,
                positions_.begin() + static_cast<std::ptrdiff_t>(to));
    to += count;
  }
  positions_.resize(keep.size());
}

void HeadCache::release_tail() {
  while (pages() > pages_for(size())) {
    pool_->release(pages_.back());
    pages_.pop_back();
  }
}

bool HeadCache::become_constant(std::size_t sink, std::size_t recent) {
  assert(recent > 0);
  if (is_constant()) {
    assert(sink == sink_ && sink + recent == block_rows_);
    return true;
  }
  const std::size_t stored = row_bytes(type_, head_dim_);
  std::size_t rows = 0, bytes = 0;
  // The pages go back before the block is counted.
  if (__builtin_add_overflow(sink, recent, &rows) ||
      __builtin_mul_overflow(rows, 2 * stored, &bytes) ||
      bytes > pool_->bytes_free() + allocated_bytes()) {
    return false;
  }
  const std::size_t first = std::min(sink, size());
  const std::size_t newest = std::min(recent, size() - first);
  std::vector<std::int32_t> positions;
  positions.reserve(rows);  // so that append() cannot run out of memory
  positions.resize(first + newest);
  std::vector<std::byte*> views(pages_for(rows));
  RowMemory block = row_memory(bytes);
  if (block == nullptr) {
    throw_resource("the system has no memory for a block of {} bytes of the cache; {} are held",
                   bytes, pool_->bytes_used());
  }
  for (std::size_t i = 0; i < views.size(); ++i) views[i] = block.get() + i * kPageRows * stored;

  const auto move_row = [&](std::size_t from, std::size_t to) {
    std::memcpy(block.get() + to * stored, row(from, false), stored);
    std::memcpy(block.get() + (rows + to) * stored, row(from, true), stored);
    positions[to] = positions_[from];
  };
  for (std::size_t i = 0; i < first; ++i) move_row(i, i);
  // In a full block the ring begins where the oldest row's position puts it, so that a row's place
  // follows from its position alone, whatever was read before.
  std::size_t turn = 0;
  if (newest == recent) {
    turn = (static_cast<std::size_t>(positions_[size() - newest]) - sink) % recent;
  }
  for (std::size_t i = 0; i < newest; ++i) {
    move_row(size() - newest + i, first + (turn + i) % recent);
  }

  for (std::byte* page : pages_) pool_->release(page);
  [[maybe_unused]] const bool fits = pool_->reserve_block(bytes);
  assert(fits);
  pages_ = std::move(views);
  positions_ = std::move(positions);
  block_ = std::move(block);
  block_rows_ = rows;
  sink_ = sink;
  oldest_ = sink + turn;
  return true;
}

bool HeadCache::become_paged() {
  if (!is_constant()) return true;
  const std::size_t needed = pages_for(size());
  if (needed > (pool_->bytes_free() + block_bytes()) / pool_->page_bytes()) return false;
  std::vector<std::int32_t> positions;
  positions.reserve(needed * kPageRows);
  std::vector<std::byte*> pages;
  pages.reserve(needed);
  pool_->release_block(block_bytes());
  try {
    while (pages.size() < needed) pages.push_back(pool_->allocate());
  } catch (...) {  // the system has no memory: the block stays
    for (std::byte* page : pages) pool_->release(page);
    [[maybe_unused]] const bool fits = pool_->reserve_block(block_bytes());
    assert(fits);
    throw;
  }
  const std::size_t stored = row_bytes(type_, head_dim_);
  for (std::size_t to = 0; to < size(); ++to) {
    const std::size_t from = row_in_order(to);
    std::byte* k = pages[to / kPageRows] + to % kPageRows * stored;
    std::memcpy(k, row(from, false), stored);
    std::memcpy(k + kPageRows * stored, row(from, true), stored);
    positions.push_back(positions_[from]);
  }
  pages_ = std::move(pages);
  positions_ = std::move(positions);
  block_.reset();
  return true;
}

std::size_t HeadCache::bytes() const { return size() * 2 * row_bytes(type_, head_dim_); }

std::size_t HeadCache::block_bytes() const { return block_rows_ * 2 * row_bytes(type_, head_dim_); }

std::size_t HeadCache::allocated_bytes() const {
  return is_constant() ? block_bytes() : pages_.size() * pool_->page_bytes();
}

std::size_t HeadCache::row_in_order(std::size_t i) const {
  assert(i < size());
  if (!is_constant() || size() < block_rows_ || i < sink_) return i;
  const std::size_t ring = block_rows_ - sink_;
  return sink_ + (oldest_ - sink_ + i - sink_) % ring;
}

HeadRowsView HeadCache::view() const {
  HeadRowsView view{pages_.data(), size(), head_dim_, type_};
  view.value_rows = value_rows();
  return view;
}

std::byte* HeadCache::row(std::size_t index, bool value) const {
  const std::size_t slot = index % kPageRows + (value ? value_rows() : 0);
  return pages_[index / kPageRows] + slot * row_bytes(type_, head_dim_);
}

}  // namespace laconic
