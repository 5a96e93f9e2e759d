// SPDX-License-Identifier: Apache-2.0
// The two orders of q and k rows within a head.
//
// Hugging Face turns row j with row j + head_dim/2; llama.cpp turns neighbours, so its converter
// stores those two rows side by side (architecture llama only). Rows move whole, whatever their
// element type; a bias is a matrix whose rows are one element.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "model/config.h"

namespace laconic {

// Heads whose rows a GGUF of this architecture stores side by side, for this tensor; 0: none.
std::size_t interleaved_heads(const ModelConfig& config, std::string_view hf_name);

// [heads * head_dim][row bytes] in Hugging Face order -> GGUF order, and back.
std::vector<std::byte> interleave_rows(std::span<const std::byte> in, std::size_t heads,
                                       std::size_t head_dim);
std::vector<std::byte> separate_rows(std::span<const std::byte> in, std::size_t heads,
                                     std::size_t head_dim);

}  // namespace laconic
