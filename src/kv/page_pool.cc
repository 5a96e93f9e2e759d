// SPDX-License-Identifier: Apache-2.0
#include "kv/page_pool.h"

#include <algorithm>
#include <cassert>
#include <cstdlib>

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

void PagePool::Free::operator()(std::byte* block) const { std::free(block); }

PagePool::PagePool(std::size_t page_bytes, std::size_t limit_bytes)
    : page_bytes_(page_bytes), limit_(limit_bytes / page_bytes) {}

std::byte* PagePool::allocate() {
  if (used_ == limit_) return nullptr;
  if (free_.empty()) {
    const std::size_t stride = aligned(page_bytes_);
    const std::size_t pages =
        std::min(limit_ - used_, std::max<std::size_t>(1, kSlabBytes / stride));
    auto* slab = static_cast<std::byte*>(std::aligned_alloc(kAlignment, pages * stride));
    if (slab == nullptr) {
      throw_resource("the system has no memory for {} more bytes of cache pages; {} bytes are held",
                     pages * stride, used_ * page_bytes_);
    }
    slabs_.emplace_back(slab);
    for (std::size_t i = pages; i-- > 0;) free_.push_back(slab + i * stride);
  }
  std::byte* page = free_.back();
  free_.pop_back();
  peak_ = std::max(peak_, ++used_);
  return page;
}

void PagePool::release(std::byte* page) {
  assert(page != nullptr && used_ > 0);
  free_.push_back(page);
  --used_;
}

}  // namespace laconic
