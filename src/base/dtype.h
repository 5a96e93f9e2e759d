// SPDX-License-Identifier: Apache-2.0
// Element types of weights and cache rows, and the bytes that a row of them takes.
//
// q8_0 and q4_0 are ggml's blocks of 32: an f16 scale followed by 32 int8, or by 16 bytes that hold
// element i in the low nibble and element i+16 in the high nibble of byte i, biased by 8.
// q4_k, q5_k and q6_k are its blocks of 256 (kernels/k_quants.h): read, never written.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace laconic {

enum class DType { kF32, kF16, kBF16, kQ8_0, kQ4_0, kQ4_K, kQ5_K, kQ6_K };

inline constexpr std::size_t kQuantBlock = 32;  // elements of one q8_0 or q4_0 block
inline constexpr std::size_t kKBlock = 256;     // elements of one K-quant block

constexpr std::size_t block_elements(DType type) {
  switch (type) {
    case DType::kF32:
    case DType::kF16:
    case DType::kBF16:
      return 1;
    case DType::kQ8_0:
    case DType::kQ4_0:
      return kQuantBlock;
    case DType::kQ4_K:
    case DType::kQ5_K:
    case DType::kQ6_K:
      return kKBlock;
  }
  return 1;
}

// Whether rows of f32 can become this type here.
constexpr bool can_quantize(DType type) { return block_elements(type) <= kQuantBlock; }

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
    case DType::kQ4_K:
      return 2 + 2 + 12 + kKBlock / 2;
    case DType::kQ5_K:
      return 2 + 2 + 12 + kKBlock / 8 + kKBlock / 2;
    case DType::kQ6_K:
      return 2 + kKBlock / 16 + kKBlock / 4 + kKBlock / 2;
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
    case DType::kQ4_K:
      return "q4_k";
    case DType::kQ5_K:
      return "q5_k";
    case DType::kQ6_K:
      return "q6_k";
  }
  return "?";
}

// The type of that name, or nothing.
constexpr std::optional<DType> dtype_from_name(std::string_view name) {
  for (DType type : {DType::kF32, DType::kF16, DType::kBF16, DType::kQ8_0, DType::kQ4_0,
                     DType::kQ4_K, DType::kQ5_K, DType::kQ6_K}) {
    if (dtype_name(type) == name) return type;
  }
  return std::nullopt;
}

}  // namespace laconic
