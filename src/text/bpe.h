// SPDX-License-Identifier: Apache-2.0
// Byte-pair encoding: the adjacent pair with the best rank is merged, the leftmost among equals,
// until no pair can be merged (Sennrich, Haddow and Birch 2016, section 3.2).
//
// Works on token ids only; what the symbols are (bytes or characters) and where ranks come from
// (merge order or scores) is the caller's. O(n log n) for any word.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "text/tokenizer.h"

namespace laconic {

// (left, right) -> rank and merged token: a flat hash table with linear probing.
class MergeTable {
 public:
  struct Merge {
    std::uint32_t rank = 0;  // lower is merged earlier
    TokenId merged = -1;
  };

  explicit MergeTable(std::size_t expected = 0);

  // The first merge of a pair stands. PRECONDITION: ids are not negative.
  void add(TokenId left, TokenId right, Merge merge);
  const Merge* find(TokenId left, TokenId right) const;  // nullptr: the pair does not merge
  std::size_t size() const { return size_; }

 private:
  struct Slot {
    std::uint64_t key = kEmpty;
    Merge merge;
  };
  static constexpr std::uint64_t kEmpty = std::numeric_limits<std::uint64_t>::max();
  std::size_t slot_of(std::uint64_t key) const;
  void grow();

  std::vector<Slot> slots_;  // a power of two of them, at most half full
  std::size_t size_ = 0;
};

// Keeps its buffers from word to word; one per thread.
class BpeMerger {
 public:
  explicit BpeMerger(const MergeTable& table) : table_(table) {}

  // Merges `word` and appends the tokens to `out`. PRECONDITION: word.size() < 2^31.
  void merge(std::span<const TokenId> word, std::vector<TokenId>& out);

 private:
  static constexpr std::uint32_t kNoRank = std::numeric_limits<std::uint32_t>::max();
  struct Symbol {
    TokenId id = -1;
    std::int32_t previous = -1, next = -1;
    std::uint32_t rank = kNoRank;  // of the pair with the next symbol
    TokenId merged = -1;           // what that pair becomes
  };
  // Looks up the pair at `left` anew. True when it can merge.
  bool rate(std::size_t left);
  std::uint64_t entry(std::size_t left) const;

  const MergeTable& table_;
  std::vector<Symbol> symbols_;
  std::vector<std::uint64_t> heap_;  // rank in the upper half, position in the lower
};

}  // namespace laconic
