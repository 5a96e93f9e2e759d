// SPDX-License-Identifier: Apache-2.0
// Element types of weights and cache rows, and the bytes that a row of them takes.
//
// q8_0 and q4_0 are ggml's blocks of 32: an f16 scale followed by 32 int8, or by 16 bytes that hold
// element i in the low nibble and element i+16 in the high nibble of byte i, biased by 8.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace laconic {

enum class DType { kF32, kF16, kBF16, kQ8_0, kQ4_0 };

inline constexpr std::size_t kQuantBlock = 32;  // elements of one q8_0 or q4_0 block

constexpr std::size_t block_elements(DType type) {
  return type == DType::kQ8_0 || type == DType::kQ4_0 ? kQuantBlock : 1;
}

constexpr std::size_t block_bytes(DType type) {
  switch (type) {
    case DType::kF32:
      return 4;
    case DType::kF16:
    case DType::kBF16:
      return 2;
    case DType::kQ8_0:
      return 2 + kQuantBlock;
    case DType::kQ4_0:
      return 2 + kQuantBlock / 2;
  }
  return 0;
}

// Bytes of one row. PRECONDITION: cols is a multiple of block_elements(type) and far from overflow.
constexpr std::size_t row_bytes(DType type, std::size_t cols) {
  return cols / block_elements(type) * block_bytes(type);
}

constexpr std::string_view dtype_name(DType type) {
  switch (type) {
    case DType::kF32:
      return "f32";
    case DType::kF16:
      return "f16";
    case DType::kBF16:
      return "bf16";
    case DType::kQ8_0:
      return "q8_0";
    case DType::kQ4_0:
      return "q4_0";
  }
  return "?";
}

// The type of that name, or nothing.
constexpr std::optional<DType> dtype_from_name(std::string_view name) {
  for (DType type : {DType::kF32, DType::kF16, DType::kBF16, DType::kQ8_0, DType::kQ4_0}) {
    if (dtype_name(type) == name) return type;
  }
  return std::nullopt;
}

}  // namespace laconic
