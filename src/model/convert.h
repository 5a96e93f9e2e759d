// SPDX-License-Identifier: Apache-2.0
// Writes checkpoints: quantize an existing one to GGUF, or make one with random weights.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "model/checkpoint.h"
#include "model/type_mix.h"

namespace laconic {

struct ConversionReport {
  std::size_t bytes_in = 0, bytes_out = 0;
  // Matrices that could not take the type ("name (bf16, 100 columns)").
  std::vector<std::string> kept;
  std::vector<std::string> notes;  // what else a user should know, a sentence each
};
using ConversionProgress = std::function<void(std::size_t done, std::size_t total)>;

// Any checkpoint -> GGUF v3 that llama.cpp loads. Matrices become `type`, vectors stay f32;
// matrices whose rows are no multiple of 32 stay as they are when `type` is a block type, and are
// reported.
ConversionReport write_gguf_checkpoint(const Checkpoint& in, const std::filesystem::path& out,
                                       DType type, const ConversionProgress& progress = {});

// The GGUF metadata of a tokenizer, as llama.cpp reads it, and back.
GgufMetadata tokenizer_to_gguf(const TokenizerData& data);
TokenizerData tokenizer_from_gguf(const GgufMetadata& metadata, std::string_view where);

// Shapes of real models by name ("qwen3-0.6b"); Error(kUsage) lists the known names.
ModelConfig known_model(std::string_view name);
std::vector<std::string> known_models();

// Random weights at a config's shape (scaled so that logits stay finite), with a tokenizer from
// `tokenizer_dir` or, when that is empty, a made byte-level vocabulary. `out` ending in .gguf
// writes GGUF, else a Hugging Face directory (f32, f16 and bf16 only). Same seed, same bytes.
// K-quants are random blocks; Error(kUsage) where rows are no multiple of 256.
ConversionReport make_random_model(const ModelConfig& config, const std::filesystem::path& out,
                                   const TypeMix& mix, const std::filesystem::path& tokenizer_dir,
                                   std::uint64_t seed, const ConversionProgress& progress = {});

}  // namespace laconic
