// SPDX-License-Identifier: Apache-2.0
#include "base/utf8.h"

#include <algorithm>

namespace laconic {
namespace {

struct LeadByte {
  std::size_t length = 0;  // of the whole sequence; 0 when the byte cannot start one
  unsigned char second_min = 0x80, second_max = 0xbf;
};

// Table 3-7 of the Unicode standard: the second byte's range excludes overlong forms, surrogates
// and values above U+10FFFF.
LeadByte classify(unsigned char byte) {
  if (byte < 0x80) return {1};
  if (byte >= 0xc2 && byte <= 0xdf) return {2};
  if (byte == 0xe0) return {3, 0xa0, 0xbf};
  if (byte == 0xed) return {3, 0x80, 0x9f};
  if (byte >= 0xe1 && byte <= 0xef) return {3};
  if (byte == 0xf0) return {4, 0x90, 0xbf};
  if (byte >= 0xf1 && byte <= 0xf3) return {4};
  if (byte == 0xf4) return {4, 0x80, 0x8f};
  return {};
}

// Bytes of `text` that match the sequence its first byte starts, at most the sequence's length.
std::size_t matching_bytes(std::string_view text, const LeadByte& lead) {
  std::size_t matched = 1;
  while (matched < lead.length && matched < text.size()) {
    const auto byte = static_cast<unsigned char>(text[matched]);
    const unsigned char low = matched == 1 ? lead.second_min : 0x80;
    const unsigned char high = matched == 1 ? lead.second_max : 0xbf;
    if (byte < low || byte > high) break;
    ++matched;
  }
  return matched;
}

}  // namespace

CodePoint decode_utf8(std::string_view text) {
  const auto first = static_cast<unsigned char>(text[0]);
  const LeadByte lead = classify(first);
  if (lead.length == 0) return {0xfffd, 1, false};
  const std::size_t matched = matching_bytes(text, lead);
  if (matched < lead.length) return {0xfffd, matched, false};
  if (lead.length == 1) return {first, 1, true};
  char32_t value = first & (0xffu >> (lead.length + 1));
  for (std::size_t i = 1; i < lead.length; ++i) {
    value = (value << 6) | (static_cast<unsigned char>(text[i]) & 0x3fu);
  }
  return {value, lead.length, true};
}

void append_utf8(std::string& out, char32_t c) {
  const auto put = [&](char32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xc0 | (c >> 6));
    put(0x80 | (c & 0x3f));
  } else if (c < 0x10000) {
    put(0xe0 | (c >> 12));
    put(0x80 | ((c >> 6) & 0x3f));
    put(0x80 | (c & 0x3f));
  } else {
    put(0xf0 | (c >> 18));
    put(0x80 | ((c >> 12) & 0x3f));
    put(0x80 | ((c >> 6) & 0x3f));
    put(0x80 | (c & 0x3f));
  }
}

std::string sanitize_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const CodePoint point = decode_utf8(text);
    if (point.valid) {
      out.append(text.substr(0, point.length));
    } else {
      append_utf8(out, 0xfffd);
    }
    text.remove_prefix(point.length);
  }
  return out;
}

std::size_t complete_utf8_prefix(std::string_view text) {
  const std::size_t longest_tail = std::min<std::size_t>(3, text.size());
  for (std::size_t tail = 1; tail <= longest_tail; ++tail) {
    const std::string_view end = text.substr(text.size() - tail);
    const LeadByte lead = classify(static_cast<unsigned char>(end[0]));
    if (lead.length > tail && matching_bytes(end, lead) == tail) return text.size() - tail;
    if (lead.length != 0) break;
  }
  return text.size();
}

}  // namespace laconic
