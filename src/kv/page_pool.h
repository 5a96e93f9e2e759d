// SPDX-License-Identifier: Apache-2.0
// Pages of kPageRows rows, all of one size, from one pool with a limit in bytes.
//
// Promises: the limit counts pages handed out; a page given back is used again before new memory is
// taken; memory is taken lazily, so an idle pool costs nothing. Refuses (kv full) by returning
// null. Not thread-safe: the engine allocates between forward stages, on one thread.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

namespace laconic {

class PagePool {
 public:
  // `limit_bytes` is rounded down to whole pages. PRECONDITION: page_bytes > 0.
  PagePool(std::size_t page_bytes, std::size_t limit_bytes);
  PagePool(const PagePool&) = delete;
  PagePool& operator=(const PagePool&) = delete;

  // A page of page_bytes(), 64-byte aligned, or nullptr when the limit is reached.
  std::byte* allocate();
  void release(std::byte* page);

  std::size_t page_bytes() const { return page_bytes_; }
  std::size_t pages_limit() const { return limit_; }
  std::size_t pages_used() const { return used_; }
  std::size_t pages_free() const { return limit_ - used_; }
  std::size_t peak_pages() const { return peak_; }

 private:
  struct Free {
    void operator()(std::byte* block) const;
  };
  std::size_t page_bytes_, limit_;
  std::size_t used_ = 0, peak_ = 0;
  std::vector<std::unique_ptr<std::byte, Free>> slabs_;  // each holds several pages
  std::vector<std::byte*> free_;
};

}  // namespace laconic
