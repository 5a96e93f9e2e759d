// SPDX-License-Identifier: Apache-2.0
// The rows of a sequence's cache as plain arrays, head by head, to be written down and put back.
//
// Promises that a cache which was put back goes on as the first one would have with more text: the
// same rows, bit for bit, at the same positions, and what they have received. The schedule is not
// part of it: more text begins a new generation, for which all rows held count as prompt. Nor is it
// whether a head is constant: before more text is read such heads are lists again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kv/sequence_cache.h"

namespace laconic {

struct HeadState {
  std::vector<std::int32_t> positions;  // [rows], ascending
  std::vector<float> received;          // [rows] attention, where the policy sums it; else empty
  std::vector<std::byte> keys, values;  // [rows][row_bytes(type, head_dim)]
};

HeadState head_state(const SequenceCache& cache, std::size_t layer, std::size_t kv_head);

// False, and nothing changed, when the pool is full. PRECONDITION: the head holds no rows, and the
// state is one of such a head.
bool restore_head(SequenceCache& cache, std::size_t layer, std::size_t kv_head,
                  const HeadState& state);

}  // namespace laconic
