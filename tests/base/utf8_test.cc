// SPDX-License-Identifier: Apache-2.0
// UTF-8 decoding and repair, against what Python's errors="replace" gives.
#include "base/utf8.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace laconic {
namespace {

const std::string kBad = "\xef\xbf\xbd";  // U+FFFD

TEST(Utf8, EveryCodePointGoesThroughBothWays) {
  for (char32_t c = 0; c < 0x110000; ++c) {
    if (c >= 0xd800 && c < 0xe000) continue;
    std::string text;
    append_utf8(text, c);
    const CodePoint point = decode_utf8(text + "x");
    ASSERT_TRUE(point.valid) << std::hex << static_cast<std::uint32_t>(c);
    ASSERT_EQ(point.value, c);
    ASSERT_EQ(point.length, text.size());
  }
}

// Each pair was printed by Python: bytes.decode("utf-8", errors="replace").
TEST(Utf8, SanitizeAsPythonDoes) {
  const auto expect = [](const std::string& bytes, const std::string& repaired) {
    EXPECT_EQ(sanitize_utf8(bytes), repaired) << ::testing::PrintToString(bytes);
  };
  expect("", "");
  expect("plain \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", "plain é € 😀");
  expect("\x80", kBad);
  expect("\xff\xfe", kBad + kBad);
  expect("\xc0\xaf", kBad + kBad);                        // overlong
  expect("\xe0\x80\xaf", kBad + kBad + kBad);             // overlong
  expect("\xed\xa0\x80", kBad + kBad + kBad);             // surrogate
  expect("\xf4\x90\x80\x80", kBad + kBad + kBad + kBad);  // above U+10FFFF
  expect("\xf5\x80", kBad + kBad);
  expect("\xe2\x82", kBad);  // cut off: one maximal subpart
  expect("\xf0\x9f\x98", kBad);
  expect("\xf0\x9f\x98x", kBad + "x");
  expect("\xe2\x82\xe2\x82\xac", kBad + "€");
  expect("\xc3\xc3\xa9", kBad + "é");
  expect(
      "a\xf1\x80\x80\xe1\x80\xc2"
      "b\x80",
      "a" + kBad + kBad + kBad + "b" + kBad);  // the Unicode standard's example
}

// Bytes that are mostly pieces of multi-byte characters.
rc::Gen<std::string> any_bytes() {
  const auto byte =
      rc::gen::map(rc::gen::oneOf(rc::gen::arbitrary<std::uint8_t>(),
                                  rc::gen::element<std::uint8_t>(0x41, 0x80, 0x9f, 0xa0, 0xbf, 0xc3,
                                                                 0xe0, 0xe2, 0xed, 0xf0, 0xf4)),
                   [](std::uint8_t b) { return static_cast<char>(b); });
  return rc::gen::container<std::string>(byte);
}

bool valid(const std::string& text) { return sanitize_utf8(text) == text; }

RC_GTEST_PROP(Utf8, SanitizedTextIsValidAndStays, ()) {
  const std::string once = sanitize_utf8(*any_bytes());
  RC_ASSERT(sanitize_utf8(once) == once);
}

RC_GTEST_PROP(Utf8, DecodingNeverLeavesTheText, ()) {
  const std::string text = *any_bytes();
  for (std::string_view rest = text; !rest.empty();) {
    const CodePoint point = decode_utf8(rest);
    RC_ASSERT(point.length >= 1u);
    RC_ASSERT(point.length <= rest.size());
    RC_ASSERT(point.valid || point.value == 0xfffd);
    rest.remove_prefix(point.length);
  }
}

// Showing a prefix now and the rest later must give the text that showing all at once gives.
RC_GTEST_PROP(Utf8, CompletePrefixSplitsWhereRepairDoesNotCare, ()) {
  const std::string text = *any_bytes();
  const std::size_t cut = complete_utf8_prefix(text);
  RC_ASSERT(cut <= text.size());
  RC_ASSERT(text.size() - cut <= 3u);
  RC_ASSERT(sanitize_utf8(text.substr(0, cut)) + sanitize_utf8(text.substr(cut)) ==
            sanitize_utf8(text));
}

// What is held back is the beginning of one character; nothing else is.
RC_GTEST_PROP(Utf8, OnlyABegunCharacterIsHeldBack, ()) {
  const std::string text = *any_bytes();
  const std::string held = text.substr(complete_utf8_prefix(text));
  const std::string continuation[] = {"",         "\x80",     "\xbf",         "\x90\x80",
                                      "\x80\x80", "\xa0\x80", "\x80\x80\x80", "\x90\x80\x80"};
  bool can_become_valid = false;
  for (const std::string& tail : continuation) can_become_valid |= valid(held + tail);
  RC_ASSERT(can_become_valid);
  if (!held.empty()) RC_ASSERT(!valid(held));
}

RC_GTEST_PROP(Utf8, CutsOfValidTextAreFoundAgain, (std::u32string points)) {
  std::string text;
  for (const char32_t c : points) {
    const char32_t folded = c % 0x110000;
    append_utf8(text, folded >= 0xd800 && folded < 0xe000 ? U'x' : folded);
  }
  std::size_t boundary = 0;
  for (std::size_t size = 0; size <= text.size(); ++size) {
    if (valid(text.substr(0, size))) boundary = size;
    RC_ASSERT(complete_utf8_prefix(std::string_view(text).substr(0, size)) == boundary);
  }
}

}  // namespace
}  // namespace laconic
