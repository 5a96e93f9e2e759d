// SPDX-License-Identifier: Apache-2.0
// Tokenizers of Hugging Face directories.
//
// tokenizer.json holds a pipeline: normaliser, pre-tokenizer, BPE model, post-processor, decoder.
// The combinations that make byte-level BPE and SentencePiece-style BPE are understood; any other
// component is refused by name, since skipping one gives other tokens than the model was trained
// on. Without tokenizer.json, vocab.json + merges.txt of the GPT-2 and Qwen2 tokenizer classes.
#pragma once

#include <filesystem>
#include <string_view>

#include "text/tokenizer.h"

namespace laconic {

// All files of a directory together; see Tokenizer::from_directory.
TokenizerData load_hf_tokenizer(const std::filesystem::path& directory);

// tokenizer.json alone; `where` names it in errors.
TokenizerData parse_tokenizer_json(std::string_view text, std::string_view where);

// The texts of vocab.json and merges.txt; `where` names their directory.
TokenizerData parse_vocab_and_merges(std::string_view vocab, std::string_view merges,
                                     std::string_view where);

}  // namespace laconic
