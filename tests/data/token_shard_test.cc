// SPDX-License-Identifier: Apache-2.0
#include "data/token_shard.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "base/file.h"
#include "laconic/error.h"
#include "test_paths.h"

namespace laconic {
namespace {

using test::TemporaryFolder;

const std::vector<ShardText> kTexts = {{{5, 6, 7, 8}, 2}, {{1, 2}, 0}, {{9, 8, 7}, 1}};

void expect_refusal(const std::filesystem::path& file, const char* said) {
  try {
    const TokenShard shard(file);
    for (std::size_t i = 0; i < shard.texts(); ++i) shard.text(i);
    ADD_FAILURE() << "not refused: " << said;
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInput);
    EXPECT_THAT(error.what(), ::testing::HasSubstr(said));
    EXPECT_THAT(error.what(), ::testing::HasSubstr(file.filename().string()));
  }
}

TEST(TokenShard, GivesBackItsTexts) {
  const TemporaryFolder folder;
  for (const std::uint64_t size : {std::uint64_t{65536}, std::uint64_t{65537}}) {
    write_token_shard(folder / "a.shard", {size, 77}, kTexts);
    const TokenShard shard(folder / "a.shard");
    EXPECT_EQ(shard.vocabulary().size, size);
    EXPECT_EQ(shard.vocabulary().hash, 77u);
    EXPECT_EQ(shard.tokens(), 9u);
    ASSERT_EQ(shard.texts(), kTexts.size());
    for (std::size_t i = 0; i < kTexts.size(); ++i) {
      EXPECT_EQ(shard.text(i).ids, kTexts[i].ids);
      EXPECT_EQ(shard.text(i).loss_start, kTexts[i].loss_start);
    }
  }
}

TEST(TokenShard, LaysItsBytesOutAsDocumented) {
  const TemporaryFolder folder;
  write_token_shard(folder / "a.shard", {300, 0x0102030405060708},
                    std::vector<ShardText>{{{258, 3}, 1}});
  const std::string expected(
      "LACSHARD"
      "\1\0\0\0"
      "\2\0\0\0"
      "\x2c\1\0\0\0\0\0\0"
      "\x08\x07\x06\x05\x04\x03\x02\x01"
      "\1\0\0\0\0\0\0\0"
      "\2\0\0\0\0\0\0\0"
      "\2\0\0\0\0\0\0\0"
      "\1\0\0\0"
      "\2\1\3\0",
      64);
  EXPECT_EQ(read_file(folder / "a.shard"), expected);
}

TEST(TokenShard, RefusesEveryTruncation) {
  const TemporaryFolder folder;
  write_token_shard(folder / "a.shard", {100, 1}, kTexts);
  const std::string whole = read_file(folder / "a.shard");
  for (std::size_t size = 0; size < whole.size(); ++size) {
    write_file_atomic(folder / "b.shard", whole.substr(0, size));
    expect_refusal(folder / "b.shard", size < 48 ? "does not begin with" : "its header speaks of");
  }
}

TEST(TokenShard, RefusesContradictions) {
  const TemporaryFolder folder;
  write_token_shard(folder / "a.shard", {100, 1}, kTexts);
  const std::string whole = read_file(folder / "a.shard");
  const auto refuse = [&](std::size_t at, char value, const char* said) {
    std::string changed = whole;
    changed[at] = value;
    write_file_atomic(folder / "b.shard", changed);
    expect_refusal(folder / "b.shard", said);
  };
  refuse(0, 'l', "does not begin with LACSHARD");
  refuse(8, 2, "version 2");
  refuse(12, 3, "ids of 3 bytes");
  refuse(16, 0, "vocabulary of 0 tokens");
  refuse(39, '\xff', "overflows");
  refuse(40, 8, "its header speaks of");
  refuse(48, 1, "text 0 ends at token 1");
  refuse(56, 5, "text 1 ends at token 5");
  refuse(64, 8, "the texts end at token 8 of 9");
  refuse(72, 4, "learning cannot start at 4");
  refuse(84, 100, "text 0 has the id 100");
}

TEST(TokenShard, AnEmptyOneIsRefused) {
  const TemporaryFolder folder;
  write_token_shard(folder / "a.shard", {100, 1}, {});
  expect_refusal(folder / "a.shard", "without texts");
}

TEST(TokenShard, TellsContentsApart) {
  const TemporaryFolder folder;
  write_token_shard(folder / "a.shard", {100, 1}, kTexts);
  std::vector<ShardText> other = kTexts;
  other[2].ids[2] = 6;
  write_token_shard(folder / "b.shard", {100, 1}, other);
  EXPECT_NE(TokenShard(folder / "a.shard").content_hash(),
            TokenShard(folder / "b.shard").content_hash());
}

TEST(VocabularyHash, DependsOnOrderAndBoundaries) {
  const std::vector<std::string> a = {"ab", "c"}, b = {"a", "bc"}, c = {"c", "ab"};
  EXPECT_EQ(vocabulary_hash(a), vocabulary_hash(a));
  EXPECT_NE(vocabulary_hash(a), vocabulary_hash(b));
  EXPECT_NE(vocabulary_hash(a), vocabulary_hash(c));
}

RC_GTEST_PROP(TokenShardProperty, ForeignBytesAreReadOrRefused, ()) {
  const TemporaryFolder folder;
  write_token_shard(folder / "a.shard", {100, 1}, kTexts);
  std::string bytes = read_file(folder / "a.shard");
  const auto changes = *rc::gen::inRange(1, 6);
  for (int i = 0; i < changes; ++i) {
    bytes[*rc::gen::inRange<std::size_t>(8, bytes.size())] = *rc::gen::arbitrary<char>();
  }
  write_file_atomic(folder / "b.shard", bytes);
  try {
    const TokenShard shard(folder / "b.shard");
    for (std::size_t i = 0; i < shard.texts(); ++i) {
      const ShardText text = shard.text(i);
      RC_ASSERT(text.loss_start < text.ids.size());
    }
  } catch (const Error& error) {
    RC_ASSERT(error.kind() == ErrorKind::kInput);
  }
}

}  // namespace
}  // namespace laconic
