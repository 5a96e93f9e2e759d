// SPDX-License-Identifier: Apache-2.0
// What stands beside tokenizer_to_gguf and tokenizer_from_gguf (convert.h).
#pragma once

#include <cstddef>

#include "io/gguf.h"
#include "text/tokenizer.h"

namespace laconic {

// Whether the file carries a vocabulary ("no_vocab" and "none" say that it does not).
bool gguf_has_tokenizer(const GgufMetadata& metadata);

// A copy with [PADn] tokens up to `vocab`: llama.cpp takes the number of tokens for the rows of the
// embedding. Error(kInput) when there are more tokens than rows.
TokenizerData padded_tokenizer(const TokenizerData& data, std::size_t vocab);

// A score per token that makes merging by score (the adjacent pair whose concatenation scores
// highest) choose what merging by rank chooses: minus the rank of the first merge that makes it.
std::vector<float> scores_from_merges(const TokenizerData& data);

}  // namespace laconic
