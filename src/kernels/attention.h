// SPDX-License-Identifier: Apache-2.0
// Attention of the query heads that share one KV head, over that head's paged rows.
//
// Rows are visited page by page with an online softmax, so a query's result depends on its own
// visible rows alone: not on other queries, on chunking, or on threads.
#pragma once

#include <cstddef>

#include "base/dtype.h"

namespace laconic {

inline constexpr std::size_t kPageRows = 64;

// Rows of one KV head. A page holds K [kPageRows][head_dim] and then V [kPageRows][head_dim].
struct HeadRowsView {
  const std::byte* const* pages = nullptr;  // [ceil(rows / kPageRows)]
  std::size_t rows = 0;
  std::size_t head_dim = 0;
  DType type = DType::kF16;  // kF32, kF16 or kBF16
};

constexpr std::size_t page_bytes(DType type, std::size_t head_dim) {
  return 2 * kPageRows * row_bytes(type, head_dim);
}

// Floats of scratch that attend needs for `queries` query rows.
std::size_t attend_scratch_floats(std::size_t queries, std::size_t head_dim);

// out[i] = sum_r softmax_r(q[i] . K[r] * scale) V[r] over r < visible[i].
// PRECONDITIONS: 1 <= visible[i] <= rows.
void attend(const HeadRowsView& kv, const float* q /* [queries][head_dim] */,
            const std::size_t* visible /* [queries] */, std::size_t queries, float scale,
            float* out /* [queries][head_dim] */, float* scratch);

// logits[i][r - begin] = q[i] . K[r] * scale for r in [begin, end).
void key_logits(const HeadRowsView& kv, std::size_t begin, std::size_t end,
                const float* q /* [queries][head_dim] */, std::size_t queries, float scale,
                float* logits /* [queries][end - begin] */);

namespace reference {
void attend(const HeadRowsView& kv, const float* q, const std::size_t* visible, std::size_t queries,
            float scale, float* out);
void key_logits(const HeadRowsView& kv, std::size_t begin, std::size_t end, const float* q,
                std::size_t queries, float scale, float* logits);
}  // namespace reference

}  // namespace laconic
