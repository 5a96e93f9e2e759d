// SPDX-License-Identifier: Apache-2.0
// UTF-8: decoding that never fails, and repair of invalid bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace laconic {

struct CodePoint {
  char32_t value = 0;      // U+FFFD when the bytes are invalid
  std::size_t length = 0;  // bytes consumed, at least 1
  bool valid = true;
};

// The code point at the front. PRECONDITION: text is not empty. Invalid bytes consume the maximal
// subpart (Unicode 15, section 3.9), as Python and browsers do.
CodePoint decode_utf8(std::string_view text);

void append_utf8(std::string& out, char32_t code_point);

// A copy in which each maximal invalid subpart became U+FFFD.
std::string sanitize_utf8(std::string_view text);

// Length of the longest prefix that ends at a character boundary: what may be shown now while the
// rest of a multi-byte character has not come yet. Bytes that can never become valid count as
// whole.
std::size_t complete_utf8_prefix(std::string_view text);

}  // namespace laconic
