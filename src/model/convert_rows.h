// SPDX-License-Identifier: Apache-2.0
// A tensor in another element type, row by row through f32; the same type is copied.
//
// Error(kInput) names a tensor with a NaN, an infinity, or a value that the type cannot hold: a
// model with one answers nonsense, and nothing later would say why.
#pragma once

#include <cstddef>
#include <vector>

#include "base/threads.h"
#include "io/tensor.h"

namespace laconic {

// Rows of `cols` elements that are worth waking a thread for: some tens of microseconds of work.
constexpr std::size_t rows_per_thread(std::size_t cols) { return 1 + 65536 / cols; }

// PRECONDITION: the last dimension is a multiple of block_elements(type).
std::vector<std::byte> convert_tensor(const TensorView& tensor, DType type, Threads& threads);

}  // namespace laconic
