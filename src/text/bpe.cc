// SPDX-License-Identifier: Apache-2.0
#include "text/bpe.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <functional>
#include <utility>

#include "base/mix.h"

namespace laconic {
namespace {

std::uint64_t pair_key(TokenId left, TokenId right) {
  return (static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32) |
         static_cast<std::uint32_t>(right);
}

}  // namespace

MergeTable::MergeTable(std::size_t expected)
    : slots_(std::bit_ceil(std::max<std::size_t>(16, 2 * expected + 1))) {}

std::size_t MergeTable::slot_of(std::uint64_t key) const {
  const std::size_t mask = slots_.size() - 1;
  // Ids are small consecutive numbers: slots need their bits mixed.
  std::size_t slot = static_cast<std::size_t>(mix_bits(key)) & mask;
  while (slots_[slot].key != kEmpty && slots_[slot].key != key) slot = (slot + 1) & mask;
  return slot;
}

void MergeTable::add(TokenId left, TokenId right, Merge merge) {
  assert(left >= 0 && right >= 0);
  if (2 * (size_ + 1) > slots_.size()) grow();
  const std::uint64_t key = pair_key(left, right);
  Slot& slot = slots_[slot_of(key)];
  if (slot.key == key) return;
  slot = {key, merge};
  ++size_;
}

void MergeTable::grow() {
  std::vector<Slot> old(2 * slots_.size());
  std::swap(old, slots_);
  for (const Slot& slot : old) {
    if (slot.key != kEmpty) slots_[slot_of(slot.key)] = slot;
  }
}

const MergeTable::Merge* MergeTable::find(TokenId left, TokenId right) const {
  const Slot& slot = slots_[slot_of(pair_key(left, right))];
  return slot.key == kEmpty ? nullptr : &slot.merge;
}

bool BpeMerger::rate(std::size_t left) {
  Symbol& symbol = symbols_[left];
  const MergeTable::Merge* merge =
      symbol.next < 0 ? nullptr
                      : table_.find(symbol.id, symbols_[static_cast<std::size_t>(symbol.next)].id);
  symbol.rank = merge ? merge->rank : kNoRank;
  symbol.merged = merge ? merge->merged : -1;
  return merge != nullptr;
}

std::uint64_t BpeMerger::entry(std::size_t left) const {
  return (static_cast<std::uint64_t>(symbols_[left].rank) << 32) | left;
}

void BpeMerger::merge(std::span<const TokenId> word, std::vector<TokenId>& out) {
  assert(word.size() < std::size_t{1} << 31);
  symbols_.resize(word.size());
  heap_.clear();
  for (std::size_t i = 0; i < word.size(); ++i) {
    const bool last = i + 1 == word.size();
    symbols_[i] = {word[i], static_cast<std::int32_t>(i) - 1,
                   last ? -1 : static_cast<std::int32_t>(i) + 1};
  }
  for (std::size_t i = 0; i < word.size(); ++i) {
    if (rate(i)) heap_.push_back(entry(i));
  }
  const auto later = std::greater<>();
  std::make_heap(heap_.begin(), heap_.end(), later);
  while (!heap_.empty()) {
    std::pop_heap(heap_.begin(), heap_.end(), later);
    const std::uint64_t best = heap_.back();
    heap_.pop_back();
    const std::size_t left = best & 0xffffffffu;
    Symbol& symbol = symbols_[left];
    // A symbol that changed since the entry was made has another rank, or none: the entry is
    // stale. Equal ranks mean that the pair is mergeable now, whenever it was entered.
    if (symbol.rank != best >> 32) continue;
    Symbol& right = symbols_[static_cast<std::size_t>(symbol.next)];
    symbol.id = symbol.merged;
    symbol.next = right.next;
    right.rank = kNoRank;
    if (symbol.next >= 0) {
      symbols_[static_cast<std::size_t>(symbol.next)].previous = static_cast<std::int32_t>(left);
    }
    const auto push_if_mergeable = [&](std::size_t position) {
      if (!rate(position)) return;
      heap_.push_back(entry(position));
      std::push_heap(heap_.begin(), heap_.end(), later);
    };
    push_if_mergeable(left);
    if (symbol.previous >= 0) push_if_mergeable(static_cast<std::size_t>(symbol.previous));
  }
  for (std::int32_t i = word.empty() ? -1 : 0; i >= 0;) {
    const Symbol& symbol = symbols_[static_cast<std::size_t>(i)];
    out.push_back(symbol.id);
    i = symbol.next;
  }
}

}  // namespace laconic
