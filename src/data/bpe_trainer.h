// SPDX-License-Identifier: Apache-2.0
// A byte-level BPE vocabulary learned from text, written as a Hugging Face tokenizer.json.
//
// Promises: GPT-2's pre-tokenizer, the 256 byte symbols in byte order, merges learned greedily by
// pair count (ties go to the pair of the smallest ids), and no merge that joins two digits, so that
// numbers are read digit by digit in every tool (a space may join the first digit). The order of
// add() does not matter. Source: Sennrich et al. 2016, section 3.2; Radford et al. 2019.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "text/added_tokens.h"
#include "text/split_regex.h"

namespace laconic {

// Added tokens are whole wherever they stand in a text; nothing is learned from them. They take the
// ids after the merges: first the special ones, then the visible ones, each in the order given.
struct BpeOptions {
  std::size_t vocab_size = 1000;            // added tokens included
  std::vector<std::string> special_tokens;  // control tokens, not part of the shown text
  std::vector<std::string> visible_tokens;  // shown as text, as Qwen3 has <think>
};

class BpeTrainer {
 public:
  // Error(kUsage) when vocab_size leaves no room for the bytes and the added tokens, and for an
  // added token that is given twice or that a byte or a merge could be taken for.
  explicit BpeTrainer(BpeOptions options);

  void add(std::string_view text);  // counts the text's pre-tokens; invalid UTF-8 as U+FFFD

  // The whole tokenizer.json. Fewer merges than asked when the text has no more pairs.
  std::string tokenizer_json() const;

 private:
  BpeOptions options_;
  AddedTokens added_;
  RegexSplitter splitter_;
  std::unordered_map<std::string, std::size_t> words_;  // pre-token -> times seen
};

}  // namespace laconic
