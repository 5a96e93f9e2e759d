// SPDX-License-Identifier: Apache-2.0
#include "kv/head_cache.h"

#include <cassert>
#include <cstring>
#include <utility>

#include "kernels/quantize.h"

namespace laconic {
namespace {

constexpr std::size_t pages_for(std::size_t rows) { return (rows + kPageRows - 1) / kPageRows; }

}  // namespace

HeadCache::HeadCache(PagePool& pool, DType type, std::size_t head_dim)
    : pool_(&pool), type_(type), head_dim_(head_dim) {
  assert(pool.page_bytes() == page_bytes(type, head_dim));
}

HeadCache::HeadCache(HeadCache&& other) noexcept
    : pool_(other.pool_),
      type_(other.type_),
      head_dim_(other.head_dim_),
      pages_(std::exchange(other.pages_, {})),
      positions_(std::exchange(other.positions_, {})) {}

HeadCache::~HeadCache() {
  for (std::byte* page : pages_) pool_->release(page);
}

std::size_t HeadCache::pages_missing(std::size_t rows) const {
  const std::size_t needed = pages_for(size() + rows);
  return needed > pages_.size() ? needed - pages_.size() : 0;
}

bool HeadCache::reserve(std::size_t rows) {
  const std::size_t missing = pages_missing(rows);
  if (missing > pool_->pages_free()) return false;
  pages_.reserve(pages_.size() + missing);
  for (std::size_t i = 0; i < missing; ++i) pages_.push_back(pool_->allocate());
  positions_.reserve(pages_.size() * kPageRows);  // so that append() cannot run out of memory
  return true;
}

void HeadCache::append(std::int32_t position, const float* k, const float* v) {
  assert(size() < pages_.size() * kPageRows);
  assert(positions_.empty() || positions_.back() < position);
  const std::size_t index = size();
  quantize_row(type_, k, head_dim_, row(index, false));
  quantize_row(type_, v, head_dim_, row(index, true));
  positions_.push_back(position);
}

void HeadCache::compact(std::span<const std::int32_t> keep) {
  // Kept rows ascend, so a destination never lies above its source, and what a row overwrites was
  // either dropped or has moved already.
  const std::size_t bytes = row_bytes(type_, head_dim_);
  for (std::size_t to = 0; to < keep.size(); ++to) {
    const auto from = static_cast<std::size_t>(keep[to]);
    assert(from >= to && from < size());
    if (from == to) continue;
    std::memcpy(row(to, false), row(from, false), bytes);
    std::memcpy(row(to, true), row(from, true), bytes);
    positions_[to] = positions_[from];
  }
  positions_.resize(keep.size());
  while (pages_.size() > pages_for(size())) {
    pool_->release(pages_.back());
    pages_.pop_back();
  }
}

HeadRowsView HeadCache::view() const { return {pages_.data(), size(), head_dim_, type_}; }

std::byte* HeadCache::row(std::size_t index, bool value) const {
  const std::size_t slot = index % kPageRows + (value ? kPageRows : 0);
  return pages_[index / kPageRows] + slot * row_bytes(type_, head_dim_);
}

}  // namespace laconic
