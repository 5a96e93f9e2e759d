// SPDX-License-Identifier: Apache-2.0
// The tokenizer half of a model directory, for a learned vocabulary that chats in ChatML.
//
// Promises: tokenizer.json, tokenizer_config.json with the chat template, and
// generation_config.json (greedy, ends at <|im_end|> or <|endoftext|>), as transformers and
// llama.cpp read them. A prompt ends inside an open <think> block; earlier answers go back without
// their thinking. Refuses a folder that has a tokenizer.json: weights there would lose their words.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string_view>

#include "data/bpe_trainer.h"

namespace laconic {

// <|endoftext|>, <|im_start|>, <|im_end|> as control tokens; <think>, </think> visible.
BpeOptions chat_vocabulary(std::size_t vocab_size);

std::string_view chat_vocabulary_template();  // Jinja source

// What write_vocabulary_folder will refuse about the folder: for before the work.
void require_vocabulary_folder(const std::filesystem::path& directory);

// Makes `directory` where it is missing (its parent must exist) and writes the three files,
// tokenizer.json last. Error(kUsage) when `tokenizer_json` lacks the markers of chat_vocabulary().
void write_vocabulary_folder(const std::filesystem::path& directory,
                             std::string_view tokenizer_json);

}  // namespace laconic
