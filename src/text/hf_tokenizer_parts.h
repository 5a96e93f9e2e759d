// SPDX-License-Identifier: Apache-2.0
// What the readers of Hugging Face tokenizer files share: vocabularies, merges and added tokens as
// they stand in JSON.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "base/json.h"
#include "text/tokenizer.h"

namespace laconic {

// {"token": id, ...} into data.tokens and data.types (kNormal; gaps are empty and kUnused).
void read_vocabulary(const Json& vocab, TokenizerData& data, std::string_view where);

// "left right" into its two parts.
std::pair<std::string, std::string> split_merge(std::string_view line, std::string_view where);

// {"content": ..., "special": ...} as an added token of that id.
TokenizerData::Added read_added(const Json& entry, TokenId id, std::string_view where);

// Lists the token and gives its id this content and a type of its own.
void add_token(TokenizerData& data, TokenizerData::Added token, std::string_view where);

// The token of that spelling, or -1.
TokenId find_token(const TokenizerData& data, std::string_view spelling);

// tokenizer_config.json: special tokens, added tokens, chat template, add_bos_token and
// add_eos_token. The last two count for the Llama classes, which build their own post-processor,
// and where there is no post-processor; otherwise that of tokenizer.json stands.
void apply_tokenizer_config(const Json& config, bool has_post_processor, TokenizerData& data,
                            std::string_view where);

// bos, eos, unk and pad from "bos_token" and so on, where `data` has none yet.
void read_special_tokens(const Json& document, TokenizerData& data, std::string_view where);

// The "type" of a pipeline component.
std::string component_type(const Json& component, std::string_view where);

}  // namespace laconic
