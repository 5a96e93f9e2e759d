// SPDX-License-Identifier: Apache-2.0
// Random weights that depend on (seed, tensor name, row) only: the same bytes for any number of
// threads, any order and any file format.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/threads.h"
#include "model/checkpoint.h"

namespace laconic {

// Nearly normal values: the sum of four 16-bit uniforms out of one 64-bit hash per value. No
// transcendental function, so every machine makes the same bits.
void random_row(std::uint64_t seed, std::string_view tensor, std::size_t row, float mean,
                float deviation, std::span<float> out);

// A whole tensor in `type`. Matrices have deviation 1/sqrt(columns), so that a layer neither grows
// nor shrinks its input; norms are near 1, biases near 0. K-quants, which nothing here can
// quantise to, are random bits with that deviation. PRECONDITION: whole blocks.
std::vector<std::byte> random_tensor(std::uint64_t seed, const TensorSpec& spec, DType type,
                                     Threads& threads);

}  // namespace laconic
