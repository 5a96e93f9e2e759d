// SPDX-License-Identifier: Apache-2.0
// Rows of f32 to any stored type and back. q8_0 and q4_0 follow ggml's rounding exactly, so that a
// file written here equals one written by llama.cpp's quantize from the same f32 values.
#pragma once

#include <cstddef>

#include "base/dtype.h"

namespace laconic {

// PRECONDITION: can_quantize(type), n is a multiple of block_elements(type). Non-finite inputs stay
// non-finite.
void quantize_row(DType type, const float* in /* [n] */, std::size_t n,
                  std::byte* out /* [row_bytes(type, n)] */);

void dequantize(DType type, const std::byte* in, std::size_t n, float* out /* [n] */);

namespace reference {
void quantize_row(DType type, const float* in, std::size_t n, std::byte* out);
void dequantize(DType type, const std::byte* in, std::size_t n, float* out);
}  // namespace reference

}  // namespace laconic
