// SPDX-License-Identifier: Apache-2.0
// The few Unicode questions that tokenizers ask: NFC, White_Space, word characters.
//
// NFC follows Unicode Standard Annex 15 in O(n log n) for any input: long runs of combining marks
// are sorted, not bubbled. Tables are utf8proc's.
#pragma once

#include <string>
#include <string_view>

namespace laconic {

// PRECONDITION: `text` is valid UTF-8 (sanitize_utf8).
std::string to_nfc(std::string_view text);

bool is_white_space(char32_t c);  // the White_Space property

bool is_word_character(char32_t c);  // letters, marks, numbers and connector punctuation

}  // namespace laconic
