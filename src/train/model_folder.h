// SPDX-License-Identifier: Apache-2.0
// The model as it stands, as a plain Hugging Face folder that every tool loads.
#pragma once

#include <filesystem>

#include "train/decoder.h"

namespace laconic::train {

// bf16 weights, config.json, and the tokenizer's files; each file whole or as it was before.
void write_model_folder(const Decoder& decoder, const std::filesystem::path& tokenizer,
                        const std::filesystem::path& folder);

}  // namespace laconic::train
