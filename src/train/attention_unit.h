// SPDX-License-Identifier: Apache-2.0
// One thread's piece of packed attention: the queries of one text under one KV head. Lanes of a
// vector are queries of one query head; every query head of the group shares the keys and values.
#pragma once

#include <cstddef>
#include <cstdint>

#include "train/packed_attention.h"
#include "train/simd_target.h"

namespace laconic::train {

struct AttentionUnit {
  std::size_t tokens = 0;       // of the whole batch: the row length of lse
  std::size_t first_token = 0;  // of the text
  std::size_t length = 0;       // of the text
  std::size_t kv_head = 0;
  std::size_t begin = 0, end = 0;  // the unit's queries, counted from the text's start
};

// Keys per step. The scores of a step, 48 x 64 floats, are a quarter of a 48 KiB L1 cache, so that
// two such arrays (backward) and the operands of the products stay there; 48 is a multiple of the
// rows of every tile.
inline constexpr std::size_t kKeyBlock = 48;

// Lanes of a block of queries at most, over all targets.
inline constexpr std::size_t kMostQueryLanes = 64;

// Floats of scratch, 64-byte aligned, that a unit needs.
std::size_t attention_forward_scratch(std::size_t length, std::size_t head_dim);
std::size_t attention_backward_scratch(std::size_t length, std::size_t head_dim);

template <SimdTarget kTarget, typename T>
void attention_forward_unit(const AttentionShape& shape, const AttentionUnit& unit, const T* q,
                            const T* k, const T* v, T* out, float* lse, float* scratch);

// All queries of the text: begin is 0 and end is length.
template <SimdTarget kTarget, typename T>
void attention_backward_unit(const AttentionShape& shape, const AttentionUnit& unit, const T* q,
                             const T* k, const T* v, const T* out, const float* lse, const T* d_out,
                             T* d_q, T* d_k, T* d_v, float* scratch);

}  // namespace laconic::train
