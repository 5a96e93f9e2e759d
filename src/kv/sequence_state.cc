// SPDX-License-Identifier: Apache-2.0
#include "kv/sequence_state.h"

#include <cassert>
#include <span>

namespace laconic {

HeadState head_state(const SequenceCache& cache, std::size_t layer, std::size_t kv_head) {
  const HeadCache& head = cache.head(layer, kv_head);
  const HeadRowsView view = head.view();
  const std::size_t bytes = row_bytes(view.type, view.head_dim);
  HeadState state;
  state.positions.reserve(view.rows);
  state.keys.reserve(view.rows * bytes);
  state.values.reserve(view.rows * bytes);
  for (std::size_t i = 0; i < view.rows; ++i) {
    const std::size_t row = head.row_in_order(i);
    const std::byte* key = view.pages[row / kPageRows] + row % kPageRows * bytes;
    const std::byte* value = key + view.value_rows * bytes;
    state.positions.push_back(head.positions()[row]);
    state.keys.insert(state.keys.end(), key, key + bytes);
    state.values.insert(state.values.end(), value, value + bytes);
  }
  if (cache.wants_attention(/*prompt=*/false, layer, kv_head)) {
    // Rows at the end that no query has seen yet have no sum.
    const std::span<const float> received = cache.received(layer, kv_head);
    assert(received.size() <= view.rows);
    state.received.assign(received.begin(), received.end());
    state.received.resize(view.rows);
  }
  return state;
}

bool restore_head(SequenceCache& cache, std::size_t layer, std::size_t kv_head,
                  const HeadState& state) {
  HeadCache& head = cache.head(layer, kv_head);
  assert(head.size() == 0);
  if (!head.reserve(state.positions.size())) return false;
  const std::size_t bytes = row_bytes(head.view().type, cache.shape().head_dim);
  for (std::size_t row = 0; row < state.positions.size(); ++row) {
    head.append_stored(state.positions[row], state.keys.data() + row * bytes,
                       state.values.data() + row * bytes);
  }
  if (!state.received.empty()) cache.restore_received(layer, kv_head, state.received);
  return true;
}

}  // namespace laconic
