// SPDX-License-Identifier: Apache-2.0
// The engine's answers beside those of the float64 decoder, token by token.
#pragma once

#include <functional>

#include "engine/float64_decoder.h"
#include "engine/generation_compare.h"

namespace laconic::test {

inline constexpr double kClose = 1e-5;  // of the tiny model's logits, whose deviation is 1

// Reads what `got` read (its prompt, then its ids, as teacher forcing with keep_logits does) and
// expects every logit within `tolerance`. `after_step` is called with 0 at the prompt's end and
// with the number of generated tokens after each of them. Stops at the first step that differs.
void expect_answer(Float64Decoder& plain, const Generation& got, double tolerance,
                   const std::function<void(std::size_t step)>& after_step = {});

// Largest |got - want|; infinite when the sizes differ.
double largest_difference(const std::vector<float>& got, const std::vector<double>& want);

}  // namespace laconic::test
