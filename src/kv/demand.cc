// SPDX-License-Identifier: Apache-2.0
#include "kv/demand.h"

#include <algorithm>

#include "kv/schedule.h"

namespace laconic {

CacheDemand::CacheDemand(const KvShape& shape, const KvOptions& options, const HeadSet* heads)
    : options_(options),
      page_bytes_(::laconic::page_bytes(kv_dtype(options.type), shape.head_dim)),
      block_bytes_(2 * (options.head_sink + options.head_recent) *
                   row_bytes(kv_dtype(options.type), shape.head_dim)) {
  const std::size_t all = shape.layers * shape.kv_heads;
  full_ = heads == nullptr ? all : heads->count();
  constant_ = all - full_;
}

std::size_t CacheDemand::pages(std::size_t rows) const {
  return (rows + kPageRows - 1) / kPageRows * page_bytes_;
}

std::size_t CacheDemand::of_prompt(std::size_t rows) const {
  return (full_ + constant_) * pages(rows);
}

std::size_t CacheDemand::of_answer(std::size_t prompt, std::size_t generated) const {
  return full_ * pages(Schedule::peak_rows(options_, prompt, generated)) + constant_ * block_bytes_;
}

std::size_t CacheDemand::peak(std::size_t prompt, std::size_t generated) const {
  return std::max(of_prompt(prompt), of_answer(prompt, generated));
}

std::size_t CacheDemand::peak_of_resumed(std::size_t rows, std::size_t generated) const {
  const std::size_t peak = Schedule::peak_rows(resumed(options_), rows, generated);
  return full_ * pages(peak) + constant_ * block_bytes_;
}

}  // namespace laconic
