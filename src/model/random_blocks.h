// SPDX-License-Identifier: Apache-2.0
// Valid K-quant blocks out of random bits, for measuring speed: there is no quantiser for these
// types here, and speed does not ask what a weight is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/dtype.h"

namespace laconic {

// One row of q4_k, q5_k or q6_k: every bit is drawn from `key` but the f16 scales, which give the
// weights about this deviation and a mean of about 0.
// PRECONDITION: `out` is whole blocks.
void random_blocks(std::uint64_t key, DType type, float deviation, std::span<std::byte> out);

}  // namespace laconic
