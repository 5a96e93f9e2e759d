// SPDX-License-Identifier: Apache-2.0
#include "base/fnv.h"

#include <gtest/gtest.h>

namespace laconic {
namespace {

// The vectors that the authors of the hash publish.
TEST(Fnv1a, PublishedValues) {
  EXPECT_EQ(fnv1a(""), 0xcbf29ce484222325u);
  EXPECT_EQ(fnv1a("a"), 0xaf63dc4c8601ec8cu);
  EXPECT_EQ(fnv1a("foobar"), 0x85944171f73967e8u);
}

TEST(Fnv1a, PiecesAndBytesGiveTheSame) {
  const std::string_view text = "caf\xc3\xa9";
  Fnv1a pieces, bytes;
  pieces.add(text.substr(0, 4));
  pieces.add(text.substr(4));
  bytes.add(std::as_bytes(std::span(text.data(), text.size())));
  EXPECT_EQ(pieces.value(), fnv1a(text));
  EXPECT_EQ(bytes.value(), fnv1a(text));
}

}  // namespace
}  // namespace laconic
