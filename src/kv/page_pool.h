// SPDX-License-Identifier: Apache-2.0
// Pages of kPageRows rows, all of one size, and blocks of any size, under one limit in bytes.
//
// Promises: the limit counts what is handed out, pages and blocks; a page given back is used again
// before new memory is taken; memory is taken lazily, so an idle pool costs nothing. A block is
// only counted here: its memory is its owner's. Where blocks take the place of pages, the system
// gets the pages' memory back: what is resident stays within peak_bytes(), and a few percent where
// it is large, since large pools take huge pages. Refuses (kv full) by returning null or false. Not
// thread-safe: the engine allocates between forward stages, on one thread.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

namespace laconic {

struct FreeRowMemory {
  void operator()(std::byte* memory) const;
};
using RowMemory = std::unique_ptr<std::byte, FreeRowMemory>;

// 64-byte aligned, not initialised; nullptr when the system has no memory.
RowMemory row_memory(std::size_t bytes);

class PagePool {
 public:
  // `limit_bytes` is rounded down to whole pages. PRECONDITION: page_bytes > 0.
  PagePool(std::size_t page_bytes, std::size_t limit_bytes);
  PagePool(const PagePool&) = delete;
  PagePool& operator=(const PagePool&) = delete;

  // A page of page_bytes(), 64-byte aligned, or nullptr when the limit is reached.
  std::byte* allocate();
  void release(std::byte* page);

  // Counts a block against the limit. False, and nothing changed, when it does not fit.
  bool reserve_block(std::size_t bytes);
  void release_block(std::size_t bytes);

  std::size_t page_bytes() const { return page_bytes_; }
  std::size_t pages_limit() const { return limit_; }
  std::size_t pages_used() const { return used_; }
  std::size_t pages_free() const { return bytes_free() / page_bytes_; }  // whole ones
  std::size_t peak_pages() const { return peak_pages_; }

  std::size_t bytes_limit() const { return limit_ * page_bytes_; }
  std::size_t bytes_used() const { return used_ * page_bytes_ + block_bytes_; }
  std::size_t bytes_free() const { return bytes_limit() - bytes_used(); }
  std::size_t peak_bytes() const { return peak_bytes_; }

 private:
  void count_peak();
  void give_memory_back();
  std::size_t page_bytes_, limit_;
  std::size_t used_ = 0, block_bytes_ = 0;
  std::size_t peak_pages_ = 0, peak_bytes_ = 0;
  std::vector<RowMemory> slabs_;  // each holds several pages
  std::vector<std::byte*> free_;  // written before: resident
  std::vector<std::byte*> untouched_;
};

}  // namespace laconic
