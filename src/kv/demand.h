// SPDX-License-Identifier: Apache-2.0
// How much of the pool one sequence can come to need, by the policy's law: what the engine admits
// sequences by.
#pragma once

#include <cstddef>

#include "kv/head_set.h"
#include "kv/sequence_cache.h"
#include "laconic/kv_options.h"

namespace laconic {

class CacheDemand {
 public:
  // `heads`: those that stay full; null: all. Both outlive this.
  CacheDemand(const KvShape& shape, const KvOptions& options, const HeadSet* heads);

  // Bytes of pages and blocks while a prompt of so many rows is read and handed to the policy.
  std::size_t of_prompt(std::size_t rows) const;
  // The most from then on, until so many tokens are generated.
  std::size_t of_answer(std::size_t prompt, std::size_t generated) const;
  // Both.
  std::size_t peak(std::size_t prompt, std::size_t generated) const;
  // The most where a generation is resumed from so many rows (SequenceCache::resume_generation).
  std::size_t peak_of_resumed(std::size_t rows, std::size_t generated) const;

 private:
  std::size_t pages(std::size_t rows) const;  // bytes of one head's pages
  const KvOptions& options_;
  std::size_t page_bytes_, block_bytes_;  // of one page, of one constant head
  std::size_t full_ = 0, constant_ = 0;   // heads of all layers
};

}  // namespace laconic
