// SPDX-License-Identifier: Apache-2.0
// GPT-2's way to write bytes as printable characters, so that vocabularies are readable text.
//
// The 188 printable bytes of Latin-1 stand for themselves; the other 68, in ascending order, are
// U+0100 .. U+0143 (space is U+0120). It is a bijection between bytes and 256 characters.
#pragma once

#include <string>
#include <string_view>

namespace laconic {

// Appends the bytes that `spelling` stands for. False, with `out` unchanged, when a character is
// none of the 256.
bool append_byte_level(std::string& out, std::string_view spelling);

std::string byte_level_spelling(std::string_view bytes);

}  // namespace laconic
