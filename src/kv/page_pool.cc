// SPDX-License-Identifier: Apache-2.0
#include "kv/page_pool.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cstdint>
#include <cstdlib>
#include <utility>

#include "base/error.h"
#include "base/huge_pages.h"

namespace laconic {
namespace {

constexpr std::size_t kAlignment = 64;  // a cache line, and the widest SIMD register
// Large enough that system calls are rare, small enough that a short answer does not hold much
// more than it uses. Untouched parts of a slab are not resident.
constexpr std::size_t kSlabBytes = std::size_t{4} << 20;
// Slabs beyond these are in huge pages. What rounding up to a huge page adds is then a few percent
// at most, and rows are too many for the caches: steps go by memory.
constexpr std::size_t kSmallSlabs = 16;

constexpr std::size_t aligned(std::size_t bytes, std::size_t alignment = kAlignment) {
  return (bytes + alignment - 1) / alignment * alignment;
}

RowMemory memory_at(std::size_t alignment, std::size_t bytes) {
  // More than any object can have; rounding it up could overflow.
  if (bytes > static_cast<std::size_t>(PTRDIFF_MAX) - alignment) return nullptr;
  return RowMemory(
      static_cast<std::byte*>(std::aligned_alloc(alignment, aligned(bytes, alignment))));
}

std::size_t system_page() {
  static const auto kBytes = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return kBytes;
}

// The whole system pages among these bytes are resident no more, and lose what they hold.
void drop_memory(std::byte* begin, std::size_t bytes) {
  const auto first = reinterpret_cast<std::uintptr_t>(begin);
  const std::size_t skipped = aligned(first, system_page()) - first;
  if (bytes <= skipped) return;
  const std::size_t whole = (bytes - skipped) / system_page() * system_page();
  if (whole > 0) ::madvise(begin + skipped, whole, MADV_DONTNEED);
}

}  // namespace

void FreeRowMemory::operator()(std::byte* memory) const { std::free(memory); }

RowMemory row_memory(std::size_t bytes) { return memory_at(kAlignment, bytes); }

PagePool::PagePool(std::size_t page_bytes, std::size_t limit_bytes)
    : page_bytes_(page_bytes), limit_(limit_bytes / page_bytes) {}

std::byte* PagePool::allocate() {
  if (pages_free() == 0) return nullptr;
  if (free_.empty() && untouched_.empty()) {
    const std::size_t stride = aligned(page_bytes_);
    const std::size_t pages = std::min(pages_free(), std::max<std::size_t>(1, kSlabBytes / stride));
    const bool huge = slabs_.size() >= kSmallSlabs;
    RowMemory slab = memory_at(huge ? kHugePage : system_page(), pages * stride);
    if (slab == nullptr) {
      throw_resource("the system has no memory for {} more bytes of cache pages; {} bytes are held",
                     pages * stride, bytes_used());
    }
    std::byte* first = slab.get();
    if (huge) advise_huge_pages(first, pages * stride);
    slabs_.push_back(std::move(slab));
    for (std::size_t i = pages; i-- > 0;) untouched_.push_back(first + i * stride);
  }
  std::vector<std::byte*>& from = free_.empty() ? untouched_ : free_;
  std::byte* page = from.back();
  from.pop_back();
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
  give_memory_back();
  return true;
}

// A page that is taken is a resident one where there is any, so only blocks can come on top.
void PagePool::give_memory_back() {
  while (!free_.empty() && bytes_used() + free_.size() * page_bytes_ > peak_bytes_) {
    drop_memory(free_.back(), page_bytes_);
    untouched_.push_back(free_.back());
    free_.pop_back();
  }
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
