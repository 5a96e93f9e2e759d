// SPDX-License-Identifier: Apache-2.0
// Merge tables of a vocabulary: by rank from a list of merges, or by score as SentencePiece does.
#pragma once

#include "text/bpe.h"
#include "text/tokenizer.h"
#include "text/vocabulary.h"

namespace laconic {

// From data.merges. Error(kInput) for a merge of tokens, or into a token, that do not exist.
MergeTable merges_by_rank(const TokenizerData& data, const Vocabulary& vocabulary);

// From data.scores: any two tokens whose bytes together are a token merge into it, higher scores
// first. Error(kInput) for scores that are not numbers.
MergeTable merges_by_score(const TokenizerData& data, const Vocabulary& vocabulary);

// Whether no token has a space after something else, so that text may be cut before such spaces
// without changing any token.
bool cuts_before_spaces(const TokenizerData& data, const Vocabulary& vocabulary);

}  // namespace laconic
