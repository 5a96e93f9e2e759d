// SPDX-License-Identifier: Apache-2.0
#include "kv/page_pool.h"

#include <algorithm>
#include <cassert>
#include <cstdint>
#include <cstdlib>
#include <utility>

#include "base/error.h"

namespace laconic {
namespace {

constexpr std::size_t kAlignment = 64;  // a cache line, and the widest SIMD register
// Large enough that system calls are rare, small enough that a short answer does not hold much
// more than it uses. Untouched parts of a slab are not resident.
constexpr std::size_t kSlabBytes = std::size_t{4} << 20;

constexpr std::size_t aligned(std::size_t bytes) {
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

}  // namespace

void FreeRowMemory::operator()(std::byte* memory) const { std::free(memory); }

RowMemory row_memory(std::size_t bytes) {
  // More than any object can have; rounding it up could overflow.
  if (bytes > static_cast<std::size_t>(PTRDIFF_MAX)) return nullptr;
  return RowMemory(static_cast<std::byte*>(std::aligned_alloc(kAlignment, aligned(bytes))));
}

PagePool::PagePool(std::size_t page_bytes, std::size_t limit_bytes)
    : page_bytes_(page_bytes), limit_(limit_bytes / page_bytes) {}

std::byte* PagePool::allocate() {
  if (pages_free() == 0) return nullptr;
  if (free_.empty()) {
    const std::size_t stride = aligned(page_bytes_);
    const std::size_t pages = std::min(pages_free(), std::max<std::size_t>(1, kSlabBytes / stride));
    RowMemory slab = row_memory(pages * stride);
    if (slab == nullptr) {
      throw_resource("the system has no memory for {} more bytes of cache pages; {} bytes are held",
                     pages * stride, bytes_used());
    }
    std::byte* first = slab.get();
    slabs_.push_back(std::move(slab));
    for (std::size_t i = pages; i-- > 0;) free_.push_back(first + i * stride);
  }
  std::byte* page = free_.back();
  free_.pop_back();
  ++used_;
  count_peak();
  return page;
}

void PagePool::release(std::byte* page) {
  assert(page != nullptr && used_ > 0);
  free_.push_back(page);
  --used_;
}

bool PagePool::reserve_block(std::size_t bytes) {
  if (bytes > bytes_free()) return false;
  block_bytes_ += bytes;
  count_peak();
  return true;
}

void PagePool::release_block(std::size_t bytes) {
  assert(bytes <= block_bytes_);
  block_bytes_ -= bytes;
}

void PagePool::count_peak() {
  peak_pages_ = std::max(peak_pages_, used_);
  peak_bytes_ = std::max(peak_bytes_, bytes_used());
}

}  // namespace laconic
