// SPDX-License-Identifier: Apache-2.0
// The model as it stands, as a plain Hugging Face folder that every tool loads.
#pragma once

#include <filesystem>
#include <string_view>

#include "train/decoder.h"

namespace laconic::train {

// Error(kInput) for a folder without a vocabulary: the model would be written without its words.
void check_tokenizer_folder(const std::filesystem::path& tokenizer);

// bf16 weights, config.json, and the tokenizer's files; each file whole or as it was before.
void write_model_folder(const Decoder& decoder, const std::filesystem::path& tokenizer,
                        const std::filesystem::path& folder);

// Whether write_model_folder() writes a file of this name.
bool is_model_file(std::string_view name);

}  // namespace laconic::train
