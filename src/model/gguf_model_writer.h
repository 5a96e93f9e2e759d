// SPDX-License-Identifier: Apache-2.0
// A whole model as one GGUF, wherever its tensors come from: metadata, tokenizer, types, llama's
// row order, RoPE divisors. One tensor is in memory at a time.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <vector>

#include "model/checkpoint.h"
#include "model/convert.h"
#include "model/type_mix.h"

namespace laconic {

// Where tensors come from, by Hugging Face name and in Hugging Face row order.
struct TensorSupply {
  std::function<DType(const TensorSpec&)> stored_type;
  std::function<std::vector<std::byte>(const TensorSpec&, DType type)> bytes;
};

// Matrices take the type of `mix`; vectors f32; rows that no block divides keep their stored type
// and are reported. `tokenizer` may be null.
ConversionReport write_gguf_model(const ModelConfig& config, const TokenizerData* tokenizer,
                                  const std::filesystem::path& out, const TypeMix& mix,
                                  const TensorSupply& supply, const ConversionProgress& progress);

}  // namespace laconic
