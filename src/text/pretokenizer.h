// SPDX-License-Identifier: Apache-2.0
// The pre-tokenizers that GGUF knows by name (tokenizer.ggml.pre), and which of them a tokenizer
// read from other files has.
//
// Supported are those of the byte-level vocabularies that this engine runs. Other names are
// refused: a wrong split silently gives other tokens than the model was trained on.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer.h"

namespace laconic {

struct PreTokenizerRecipe {
  std::vector<std::string> split_regex;  // applied in turn, as TokenizerData has them
  bool nfc = false;
  bool ignore_merges = false;
  bool add_bos = false;  // what a GGUF means that does not say tokenizer.ggml.add_bos_token
};

// Error(kInput) with the list of known names for a name that is not among them.
PreTokenizerRecipe split_regex_for(std::string_view pre);

// The name whose recipe splits as `data` does: "default" for SentencePiece-style tokenizers, empty
// when there is none. Of names that split alike, the one that GGUF uses for that vocabulary.
std::string deduce_pre(const TokenizerData& data);

}  // namespace laconic
