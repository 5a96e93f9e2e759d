// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <cassert>
#include <utility>

#include "io/gguf_header.h"

namespace laconic {
namespace {

constexpr std::pair<DType, std::uint32_t> kSupported[] = {
    {DType::kF32, 0},   {DType::kF16, 1},   {DType::kQ4_0, 2},  {DType::kQ8_0, 8},
    {DType::kQ4_K, 12}, {DType::kQ5_K, 13}, {DType::kQ6_K, 14}, {DType::kBF16, 30},
};

// Indexed by ggml's number; empty where a number was never given or was taken back.
constexpr std::string_view kNames[] = {
    "F32",    "F16",   "Q4_0",  "Q4_1",   "",      "",      "Q5_0",    "Q5_1",   "Q8_0",    "Q8_1",
    "Q2_K",   "Q3_K",  "Q4_K",  "Q5_K",   "Q6_K",  "Q8_K",  "IQ2_XXS", "IQ2_XS", "IQ3_XXS", "IQ1_S",
    "IQ4_NL", "IQ3_S", "IQ2_S", "IQ4_XS", "I8",    "I16",   "I32",     "I64",    "F64",     "IQ1_M",
    "BF16",   "",      "",      "",       "TQ1_0", "TQ2_0", "",        "",       "",        "MXFP4",
};

}  // namespace

std::optional<DType> dtype_from_ggml(std::uint32_t type) {
  for (const auto& [dtype, number] : kSupported) {
    if (number == type) return dtype;
  }
  return std::nullopt;
}

std::uint32_t ggml_from_dtype(DType type) {
  for (const auto& [dtype, number] : kSupported) {
    if (dtype == type) return number;
  }
  assert(false && "every DType has a ggml number");
  return 0;
}

std::string ggml_type_name(std::uint32_t type) {
  if (type < std::size(kNames) && !kNames[type].empty()) return std::string(kNames[type]);
  return fmt::format("type {}", type);
}

}  // namespace laconic
