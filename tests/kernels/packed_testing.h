// SPDX-License-Identifier: Apache-2.0
// Random matrices of every type, also of those that are read but not written here.
#pragma once

#include <cstring>

#include "base/half.h"
#include "kernel_testing.h"
#include "kernels/k_quants.h"
#include "kernels/packed.h"

namespace laconic::test {

inline constexpr DType kPlainTypes[] = {DType::kF32, DType::kF16, DType::kBF16};
inline constexpr DType kBlockTypes[] = {DType::kQ8_0, DType::kQ4_0, DType::kQ4_K, DType::kQ5_K,
                                        DType::kQ6_K};
inline constexpr DType kPackedTypes[] = {DType::kF32,  DType::kF16,  DType::kBF16, DType::kQ8_0,
                                         DType::kQ4_0, DType::kQ4_K, DType::kQ5_K, DType::kQ6_K};

// The least number of columns that a type can have, and an odd one where it can have any.
constexpr std::size_t unit_columns(DType type) {
  return block_elements(type) > 1 ? block_elements(type) : 33;
}

// Where a block's f16 scales are.
inline std::vector<std::size_t> scale_places(DType type) {
  if (type == DType::kQ4_K || type == DType::kQ5_K) return {0, kKMinimumAt};
  if (type == DType::kQ6_K) return {kQ6KScaleAt};
  return {0};
}

inline void set_half(std::byte* at, float value) {
  const std::uint16_t half = f16_from_float(value);
  std::memcpy(at, &half, sizeof(half));
}

// Blocks of every bit pattern but in the f16 scales, which are small and of either sign; plain
// weights are normal.
struct RandomMatrix {
  RandomMatrix(RandomMatrix&&) = default;
  RandomMatrix(DType type, std::size_t rows, std::size_t cols, std::uint32_t seed)
      : bytes(rows * row_bytes(type, cols)), view{type, bytes.data(), rows, cols} {
    if (!reads_quantized_rows(type)) {
      const std::vector<float> values = random_floats(rows * cols, seed);
      reference::quantize_row(type, values.data(), values.size(), bytes.data());
      return;
    }
    std::mt19937 generator(seed);
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(generator() & 255u);
    for (std::size_t at = 0; at < bytes.size(); at += block_bytes(type)) {
      for (const std::size_t place : scale_places(type)) {
        set_half(bytes.data() + at + place,
                 (static_cast<float>(generator() % 2001) - 1000.0f) * 1e-4f);
      }
    }
  }

  std::vector<std::byte> bytes;
  WeightView view;
};

// The SIMD targets whose f32 sums round once, and so agree bit for bit.
inline bool fuses_multiply_add(const std::string& target) {
  return target.rfind("AVX", 0) == 0 || target.rfind("NEON", 0) == 0;
}

}  // namespace laconic::test
