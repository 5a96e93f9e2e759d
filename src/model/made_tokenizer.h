// SPDX-License-Identifier: Apache-2.0
// A byte-level vocabulary made from nothing, for models with random weights: any text encodes, the
// chat markers and <think> exist, and every id up to the embedding's rows has a text.
#pragma once

#include <cstddef>
#include <filesystem>

#include "text/tokenizer.h"

namespace laconic {

// Error(kUsage) when `vocab` cannot hold the bytes and the markers.
TokenizerData made_tokenizer(std::size_t vocab);

// tokenizer.json and tokenizer_config.json of a byte-level tokenizer whose regexes are one split.
void write_tokenizer_files(const TokenizerData& data, const std::filesystem::path& directory);

}  // namespace laconic
