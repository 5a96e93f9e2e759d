// SPDX-License-Identifier: Apache-2.0
// Attention of the query heads that share one KV head, over that head's paged rows.
//
// Rows are visited page by page with an online softmax, so a query's result depends on its own
// visible rows alone: not on other queries, on chunking, or on threads. The same goes for every
// logit and length: its bits do not depend on what else a call asks for.
//
// Every type's rows are read as f32, exactly (q8_0: scale times integer has 19 bits), and all
// arithmetic is in f32: queries are not rounded. One recipe for decoding, prompts and rankings.
#pragma once

#include <cstddef>

#include "base/dtype.h"

namespace laconic {

inline constexpr std::size_t kPageRows = 64;

// Rows of one KV head. A page points at K [kPageRows][head_dim]; its V lies `value_rows` rows
// behind its K. So one block of n rows, K [n][head_dim] and then V [n][head_dim], is a list of
// pages too: each points kPageRows rows behind the one before it, and value_rows is n.
struct HeadRowsView {
  const std::byte* const* pages = nullptr;  // [ceil(rows / kPageRows)]
  std::size_t rows = 0;
  std::size_t head_dim = 0;
  DType type = DType::kF16;  // kF32, kF16, kBF16, or kQ8_0 if head_dim is a multiple of 32
  std::size_t value_rows = kPageRows;
};

constexpr std::size_t page_bytes(DType type, std::size_t head_dim) {
  return 2 * kPageRows * row_bytes(type, head_dim);
}

// What queries ask of a head's rows. Runs of rows may be asked by queries of their own.
struct AttendQueries {
  const float* q;               // [runs][queries][head_dim]
  const std::size_t* run_ends;  // [runs]; ascending; the last is at least every visible[i]
  const std::size_t* visible;   // [queries], each in [1, rows]
  std::size_t queries;
  float scale;
};

// Rows are gathered in parts of so many, each by itself, and the parts are added up in ascending
// order: the same sums whoever computes a part. A part of one head is 256 KiB of f16 rows at
// head_dim 128, some ten microseconds, so that few heads keep many threads busy from a thousand
// rows on; the sums of a part, one row of f32 per query, are a thousandth of what it reads.
inline constexpr std::size_t kPartRows = 512;

constexpr std::size_t parts_of(std::size_t rows) { return (rows + kPartRows - 1) / kPartRows; }

// Floats that a part's sums take.
constexpr std::size_t attend_part_floats(std::size_t queries, std::size_t head_dim) {
  return queries * (2 + head_dim);
}

// What the queries see of part `index`, into `part`; finish_attend makes the answer of all parts.
// Both together are attend_split.
void attend_part(const HeadRowsView& kv, const AttendQueries& asked, std::size_t index,
                 float* part /* [attend_part_floats] */);
// `parts` [count][attend_part_floats] is overwritten.
void finish_attend(float* parts, std::size_t count, std::size_t queries, std::size_t head_dim,
                   float* out /* [queries][head_dim] */);

// Floats of scratch that each attend function needs for `queries` query rows.
std::size_t attend_scratch_floats(std::size_t queries, std::size_t head_dim);

// out[i] = sum_r softmax_r(q[i] . K[r] * scale) V[r] over r < visible[i].
// PRECONDITIONS: 1 <= visible[i] <= rows.
void attend(const HeadRowsView& kv, const float* q /* [queries][head_dim] */,
            const std::size_t* visible /* [queries] */, std::size_t queries, float scale,
            float* out /* [queries][head_dim] */, float* scratch);

// The same, bit for bit, and the softmax itself: 0 for the rows that a query does not see.
void attend_with_weights(const HeadRowsView& kv, const float* q /* [queries][head_dim] */,
                         const std::size_t* visible /* [queries] */, std::size_t queries,
                         float scale, float* out /* [queries][head_dim] */,
                         float* weights /* [queries][rows] */, float* scratch);

// The same where runs of rows are asked by queries of their own: one softmax over q[run][i] . K[r]
// for the rows r < run_ends[run] behind the run before. StreamingLLM by cache index (arXiv
// 2309.17453) with keys that stay as they are: the query is turned for each run instead.
// PRECONDITION: run_ends ascend, and the last one is at least every visible[i].
void attend_split(const HeadRowsView& kv, const float* q /* [runs][queries][head_dim] */,
                  const std::size_t* run_ends /* [runs] */,
                  const std::size_t* visible /* [queries] */, std::size_t queries, float scale,
                  float* out /* [queries][head_dim] */, float* scratch);

// logits[i][r - begin] = q[i] . K[r] * scale for r in [begin, end).
void key_logits(const HeadRowsView& kv, std::size_t begin, std::size_t end,
                const float* q /* [queries][head_dim] */, std::size_t queries, float scale,
                float* logits /* [queries][end - begin] */);

// lengths[r - begin] = |K[r]|, the Euclidean length, for r in [begin, end).
void key_lengths(const HeadRowsView& kv, std::size_t begin, std::size_t end,
                 float* lengths /* [end - begin] */);

namespace reference {
void attend(const HeadRowsView& kv, const float* q, const std::size_t* visible, std::size_t queries,
            float scale, float* out);
void attend_with_weights(const HeadRowsView& kv, const float* q, const std::size_t* visible,
                         std::size_t queries, float scale, float* out, float* weights);
void attend_split(const HeadRowsView& kv, const float* q, const std::size_t* run_ends,
                  const std::size_t* visible, std::size_t queries, float scale, float* out);
void key_logits(const HeadRowsView& kv, std::size_t begin, std::size_t end, const float* q,
                std::size_t queries, float scale, float* logits);
void key_lengths(const HeadRowsView& kv, std::size_t begin, std::size_t end, float* lengths);
}  // namespace reference

}  // namespace laconic
