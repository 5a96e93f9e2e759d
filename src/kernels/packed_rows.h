// SPDX-License-Identifier: Apache-2.0
// One row into its place among the 16 of a packed group, and back to f32. Plain loops: packing runs
// once per model, at less than a nanosecond a weight, unpacking once per embedded token.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/dtype.h"

namespace laconic {

// `weights` and `scales` are the group's memory, of which it writes this row's bytes.
void pack_row(DType type, const std::uint8_t* source /* [row_bytes] */, std::size_t cols,
              std::size_t row, std::uint8_t* weights, std::uint8_t* scales);

void unpack_row(DType type, const std::uint8_t* weights, const std::uint8_t* scales,
                std::size_t cols, std::size_t row, float* out /* [cols] */);

}  // namespace laconic
