// SPDX-License-Identifier: Apache-2.0
// GGUF bytes in which one field is wrong: each is refused by a sentence that names file and field.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "file_bytes.h"
#include "io/gguf.h"

namespace laconic {
namespace {

using namespace test;

void expect_refused(const std::string& file, std::vector<std::string> parts) {
  parts.push_back("x.gguf: ");
  expect_input_error([&] { check_gguf(bytes_of(file), "dir/x.gguf"); }, parts);
}

void expect_refused(const GgufParts& parts, std::vector<std::string> texts) {
  expect_refused(parts.bytes(), std::move(texts));
}

GgufParts with_pair(const std::string& pair) {
  GgufParts parts;
  parts.pairs = {pair};
  return parts;
}

GgufParts with_tensors(std::vector<std::string> tensors, std::size_t data_bytes) {
  GgufParts parts;
  parts.tensors = std::move(tensors);
  parts.data = std::string(data_bytes, 'd');
  return parts;
}

TEST(GgufCorrupt, TheValidFileIsValid) {
  EXPECT_NO_THROW(check_gguf(bytes_of(valid_gguf().bytes()), "x"));
  GgufParts two = valid_gguf();
  two.version = 2;
  EXPECT_NO_THROW(check_gguf(bytes_of(two.bytes()), "x"));
}

TEST(GgufCorrupt, MagicAndVersion) {
  GgufParts parts = valid_gguf();
  parts.magic = "GGML";
  expect_refused(parts, {"not a GGUF file"});
  expect_refused(std::string(), {"not a GGUF file"});
  expect_refused(std::string("GGU"), {"not a GGUF file"});
  parts = valid_gguf();
  for (const std::uint32_t version : {0u, 1u, 4u}) {
    parts.version = version;
    expect_refused(parts, {"version " + std::to_string(version), "2 and 3"});
  }
  parts.version = 0x03000000u;
  expect_refused(parts, {"big-endian"});
}

TEST(GgufCorrupt, Counts) {
  for (const std::uint64_t extra : {std::uint64_t{1} << 60, ~std::uint64_t{0}, std::uint64_t{40}}) {
    GgufParts parts;
    parts.extra_pairs = extra;
    expect_refused(parts, {"the list of metadata", std::to_string(extra)});
    parts = GgufParts();
    parts.extra_tensors = extra;
    expect_refused(parts, {"the list of tensors", std::to_string(extra)});
  }
}

TEST(GgufCorrupt, MetadataKeysAndTypes) {
  expect_refused(with_pair(raw(std::uint64_t{1} << 60) + std::string(20, 'k')),
                 {"a metadata key", "truncated"});
  expect_refused(with_pair(gguf_pair("k", static_cast<GgufType>(13), "12345678")),
                 {"\"k\"", "value type 13"});
  expect_refused(with_pair(gguf_pair("k", GgufType::kBool, "\2")), {"\"k\"", "boolean", "2"});
  expect_refused(with_pair(gguf_pair("k", GgufType::kUint64, "1234")), {"\"k\"", "truncated"});
  expect_refused(with_pair(gguf_pair("k", GgufType::kString, raw(std::uint64_t{9}) + "12345678")),
                 {"\"k\"", "truncated"});
  GgufParts twice;
  twice.pairs.assign(2, gguf_pair("k", GgufType::kBool, "\1"));
  expect_refused(twice, {"\"k\"", "twice"});
}

TEST(GgufCorrupt, Arrays) {
  const std::uint64_t huge = std::uint64_t{1} << 60;
  const auto refused = [](GgufType type, std::uint64_t count, const std::string& items,
                          const std::string& part) {
    expect_refused(with_pair(gguf_pair("k", GgufType::kArray, gguf_array(type, count, items))),
                   {"\"k\"", part});
  };
  for (const GgufType type : {GgufType::kUint8, GgufType::kInt64, GgufType::kFloat32,
                              GgufType::kBool, GgufType::kString}) {
    refused(type, huge, "12345678", "truncated");
    refused(type, ~std::uint64_t{0}, "12345678", "truncated");
  }
  refused(GgufType::kUint16, 3, "12345", "truncated");
  refused(GgufType::kString, 1, raw(huge), "truncated");
  refused(GgufType::kBool, 2, "\1\2", "boolean");
  refused(GgufType::kArray, 1, gguf_array(GgufType::kUint8, 1, "1"), "array of arrays");
  refused(static_cast<GgufType>(77), 1, "12345678", "value type 77");
}

TEST(GgufCorrupt, TensorEntries) {
  expect_refused(with_tensors({raw(std::uint64_t{1} << 62) + std::string(40, 't')}, 32),
                 {"a tensor's name", "truncated"});
  expect_refused(with_tensors({gguf_tensor("t", {}, 0, 0)}, 32), {"\"t\"", "0 dimensions"});
  expect_refused(with_tensors({gguf_tensor("t", {1, 1, 1, 1, 1}, 0, 0)}, 32),
                 {"\"t\"", "5 dimensions", "1 to 4"});
  expect_refused(with_tensors({gguf_tensor("t", {1}, 0, 0), gguf_tensor("t", {1}, 0, 32)}, 64),
                 {"\"t\"", "twice"});
  expect_refused(with_tensors({gguf_tensor("t", {33}, 8, 0)}, 64),
                 {"\"t\"", "33", "Q8_0", "multiple of 32"});
  const std::uint64_t big = std::uint64_t{1} << 62;
  expect_refused(with_tensors({gguf_tensor("t", {big, 4}, 0, 0)}, 64), {"\"t\"", "overflows"});
  expect_refused(with_tensors({gguf_tensor("t", {big}, 0, 0)}, 64), {"\"t\"", "overflows"});
}

TEST(GgufCorrupt, BlocksOf256AreWholeAndThere) {
  struct Blocks {
    std::uint32_t type;
    const char* name;
    std::size_t bytes;
  };
  for (const Blocks& k :
       {Blocks{12, "Q4_K", 144}, Blocks{13, "Q5_K", 176}, Blocks{14, "Q6_K", 210}}) {
    for (const std::uint64_t columns : {128u, 255u, 257u, 384u}) {
      expect_refused(with_tensors({gguf_tensor("t", {columns, 2}, k.type, 0)}, 4096),
                     {"\"t\"", std::to_string(columns), k.name, "multiple of 256"});
    }
    // Three rows of two blocks.
    const std::string t = gguf_tensor("t", {512, 3}, k.type, 0);
    EXPECT_NO_THROW(check_gguf(bytes_of(with_tensors({t}, 6 * k.bytes).bytes()), "x")) << k.name;
    expect_refused(with_tensors({t}, 6 * k.bytes - 1),
                   {"\"t\"", std::to_string(6 * k.bytes) + " bytes"});
  }
}

TEST(GgufCorrupt, TensorPlaces) {
  expect_refused(with_tensors({gguf_tensor("t", {1}, 0, 8)}, 64), {"\"t\"", "offset 8", "32"});
  expect_refused(with_tensors({gguf_tensor("t", {9}, 0, 32)}, 64), {"\"t\"", "36 bytes"});
  expect_refused(with_tensors({gguf_tensor("t", {1}, 0, 96)}, 64), {"\"t\"", "offset 96"});
  expect_refused(with_tensors({gguf_tensor("t", {1}, 0, ~std::uint64_t{31})}, 64), {"\"t\""});
  expect_refused(with_tensors({gguf_tensor("t", {256}, 12, 96)}, 64), {"\"t\"", "offset 96"});
  expect_refused(with_tensors({gguf_tensor("a", {9}, 0, 0), gguf_tensor("b", {1}, 0, 32)}, 64),
                 {"\"a\"", "\"b\"", "overlap"});
  expect_refused(with_tensors({gguf_tensor("a", {1}, 0, 0)}, 0), {"tensor data", "truncated"});
}

TEST(GgufCorrupt, Alignment) {
  const auto aligned = [](GgufType type, const std::string& value) {
    GgufParts parts = with_tensors({gguf_tensor("t", {1}, 0, 0)}, 64);
    parts.pairs = {gguf_pair("general.alignment", type, value)};
    return parts;
  };
  for (const std::uint32_t value : {0u, 1u, 4u, 24u}) {
    expect_refused(aligned(GgufType::kUint32, raw(value)),
                   {"general.alignment is " + std::to_string(value)});
  }
  expect_refused(aligned(GgufType::kString, gguf_string_bytes("32")), {"general.alignment"});
  expect_refused(aligned(GgufType::kUint64, raw(std::uint64_t{1} << 63)),
                 {"begin at byte 9223372036854775808"});
}

TEST(GgufCorrupt, EveryTruncationIsRefused) {
  const std::string file = valid_gguf().bytes();
  for (std::size_t size = 0; size < file.size(); ++size) {
    // An exact copy on the heap, so that a sanitizer sees a read past the end.
    const std::vector<char> part(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_THROW(check_gguf(std::as_bytes(std::span(part)), "x"), Error) << size;
  }
}

RC_GTEST_PROP(GgufCorrupt, FlippedBytesNeverCrash, ()) {
  std::string file = valid_gguf().bytes();
  const auto flips = *rc::gen::inRange(1, 6);
  for (int i = 0; i < flips; ++i) {
    file[*rc::gen::inRange<std::size_t>(0, file.size())] = *rc::gen::arbitrary<char>();
  }
  try {
    check_gguf(bytes_of(file), "x");
  } catch (const Error& failure) {
    RC_ASSERT(failure.kind() == ErrorKind::kInput);
  }
}

}  // namespace
}  // namespace laconic
