// SPDX-License-Identifier: Apache-2.0
// One head's rows for the tests of kernels/attention.h, with values that are known.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernel_testing.h"
#include "kernels/attention.h"
#include "kernels/quantize.h"

namespace laconic::test {

// One head's rows on pages that lie apart, in descending order.
class Cache {
 public:
  Cache(DType type, std::size_t rows, std::size_t head_dim, std::uint32_t seed)
      : type_(type), head_dim_(head_dim), bytes_(page_bytes(type, head_dim)) {
    const std::size_t count = (rows + kPageRows - 1) / kPageRows;
    pool_.resize(count * bytes_, std::byte{0xff});  // unused rows hold NaN
    for (std::size_t i = 0; i < count; ++i)
      pages_.push_back(pool_.data() + (count - 1 - i) * bytes_);
    const std::vector<float> values = random_floats(2 * rows * head_dim, seed);
    for (std::size_t r = 0; r < rows; ++r) {
      set(0, r, values.data() + 2 * r * head_dim);
      set(1, r, values.data() + (2 * r + 1) * head_dim);
    }
    view_ = {pages_.data(), rows, head_dim, type};
  }

  // The view points into the cache.
  Cache(const Cache&) = delete;
  Cache& operator=(const Cache&) = delete;

  // Row r of K (part 0) or V (part 1).
  void set(std::size_t part, std::size_t r, const float* values) {
    const std::size_t place = part * kPageRows + r % kPageRows;
    std::byte* page = pool_.data() + (pages_[r / kPageRows] - pool_.data());
    reference::quantize_row(type_, values, head_dim_, page + place * row_bytes(type_, head_dim_));
  }

  const HeadRowsView& view() const { return view_; }

 private:
  DType type_;
  std::size_t head_dim_;
  std::size_t bytes_;
  std::vector<std::byte> pool_;
  std::vector<const std::byte*> pages_;
  HeadRowsView view_;
};

// The rows of a view in one block without a byte to spare: K [rows], then V [rows].
class Block {
 public:
  explicit Block(const HeadRowsView& from) : view_(from) {
    const std::size_t bytes = row_bytes(from.type, from.head_dim);
    for (std::size_t part = 0; part < 2; ++part) {
      for (std::size_t r = 0; r < from.rows; ++r) {
        const std::byte* row =
            from.pages[r / kPageRows] + (part * from.value_rows + r % kPageRows) * bytes;
        memory_.insert(memory_.end(), row, row + bytes);
      }
    }
    for (std::size_t r = 0; r < from.rows; r += kPageRows) {
      pages_.push_back(memory_.data() + r * bytes);
    }
    view_.pages = pages_.data();
    view_.value_rows = from.rows;
  }

  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;

  const HeadRowsView& view() const { return view_; }

 private:
  std::vector<std::byte> memory_;
  std::vector<const std::byte*> pages_;
  HeadRowsView view_;
};

}  // namespace laconic::test
