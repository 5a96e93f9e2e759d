// SPDX-License-Identifier: Apache-2.0
// safetensors: what is written is read back, and every field of the header that can be wrong is
// refused by a sentence.
#include "io/safetensors.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cstring>

#include "file_bytes.h"
#include "test_paths.h"

namespace laconic {
namespace {

using test::bytes_of;
using test::expect_input_error;
using test::safetensors_bytes;
using ::testing::ElementsAre;

void expect_refused(const std::string& header, const std::string& data,
                    std::vector<std::string> parts) {
  parts.push_back("x.safetensors");
  const std::string file = safetensors_bytes(header, data);
  expect_input_error([&] { check_safetensors(bytes_of(file), "dir/x.safetensors"); }, parts);
}

std::string entry(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return "{\"dtype\":\"" + dtype + "\",\"shape\":" + shape + ",\"data_offsets\":" + offsets + "}";
}

TEST(Safetensors, ReadsWhatUpstreamWrites) {
  test::TemporaryFolder folder;
  std::string header = R"({"__metadata__":{"format":"pt"},"w":{"dtype":"F32","shape":[2,1],)"
                       R"("data_offsets":[0,8]},"i":{"dtype":"I64","shape":[],)"
                       R"("data_offsets":[8,16]},"none":{"dtype":"BF16","shape":[0,4],)"
                       R"("data_offsets":[16,16]}})";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  write_file_atomic(folder / "a.safetensors",
                    safetensors_bytes(header, test::raw(1.5f) + test::raw(-2.0f) + "12345678"));
  const SafetensorsFile file(folder / "a.safetensors");
  EXPECT_THAT(file.names(), ElementsAre("w", "i", "none"));
  EXPECT_EQ(file.metadata().at("format"), "pt");
  const TensorView w = file.tensor("w");
  EXPECT_EQ(w.type, DType::kF32);
  EXPECT_THAT(w.shape, ElementsAre(2, 1));
  ASSERT_EQ(w.bytes.size(), 8u);
  float second = 0;
  std::memcpy(&second, w.bytes.data() + 4, sizeof(second));
  EXPECT_EQ(second, -2.0f);
  EXPECT_TRUE(file.tensor("none").bytes.empty());
  EXPECT_TRUE(file.contains("i"));
  EXPECT_FALSE(file.contains("j"));
}

TEST(Safetensors, RefusesWhatIsAskedForAndCannotBeGiven) {
  test::TemporaryFolder folder;
  write_file_atomic(folder / "a.safetensors",
                    safetensors_bytes("{\"i\":" + entry("I64", "[]", "[0,8]") + "}", "12345678"));
  const SafetensorsFile file(folder / "a.safetensors");
  expect_input_error([&] { file.tensor("i"); }, {"a.safetensors", "\"i\"", "I64", "BF16"});
  expect_input_error([&] { file.tensor("j"); }, {"a.safetensors", "no tensor \"j\""});
}

TEST(Safetensors, RefusesUnalignedTensorsWhenAsked) {
  test::TemporaryFolder folder;
  std::string header =
      "{\"a\":" + entry("U8", "[1]", "[0,1]") + ",\"b\":" + entry("F32", "[1]", "[1,5]") + "}";
  write_file_atomic(folder / "a.safetensors", safetensors_bytes(header, "abcde"));
  const SafetensorsFile file(folder / "a.safetensors");
  expect_input_error([&] { file.tensor("b"); }, {"a.safetensors", "\"b\"", "no multiple"});
}

TEST(Safetensors, MissingAndEmptyFilesAreNamed) {
  test::TemporaryFolder folder;
  expect_input_error([&] { SafetensorsFile(folder / "absent.safetensors"); },
                     {"absent.safetensors"});
  write_file_atomic(folder / "empty.safetensors", "");
  expect_input_error([&] { SafetensorsFile(folder / "empty.safetensors"); },
                     {"empty.safetensors", "0 bytes"});
}

TEST(Safetensors, RefusesBadLengths) {
  const auto refused = [](const std::string& file, const std::string& part) {
    expect_input_error([&] { check_safetensors(bytes_of(file), "x"); }, {"x: ", part});
  };
  refused("1234567", "7 bytes");
  refused(test::raw(std::uint64_t{3}) + "{}", "claims 3 bytes");
  refused(test::raw(~std::uint64_t{0}) + "{}", "at most 100000000");
  refused(test::raw(std::uint64_t{0}) + "{}", "opening brace");
  refused("version https://git-lfs.github.com/spec/v1", "is it a safetensors file");
}

TEST(Safetensors, RefusesBadGrammar) {
  const std::string good = entry("F16", "[2]", "[0,4]");
  expect_refused("[]", "", {"opening brace"});
  expect_refused("{", "", {"not valid JSON"});
  expect_refused("{} x", "", {"not valid JSON"});
  expect_refused("{\"a\":" + good + ",}", "abcd", {"not valid JSON"});
  expect_refused("{\"a\":1}", "", {"\"a\"", "a number", "an object"});
  expect_refused("{\"a\":null}", "", {"null"});
  expect_refused("{\"a\":[{}]}", "", {"an array"});
  expect_refused("{\"__metadata__\":{\"k\":1}}", "", {"\"k\"", "a string is expected"});
  expect_refused("{\"__metadata__\":{\"k\":\"a\",\"k\":\"b\"}}", "", {"\"k\"", "twice"});
  expect_refused("{\"__metadata__\":{},\"__metadata__\":{}}", "", {"twice"});
  expect_refused("{\"__metadata__\":\"k\"}", "", {"a string"});
  expect_refused("{\"a\":" + good + ",\"a\":" + good + "}", "abcd", {"\"a\"", "twice"});
  expect_refused("{\"a\":{\"dtype\":\"F16\",\"dtype\":\"F16\"}}", "", {"dtype", "twice"});
  expect_refused("{\"a\":{\"strides\":[1]}}", "", {"strides", "unknown"});
  expect_refused("{\"a\":{\"dtype\":{}}}", "", {"an object", "a string is expected"});
  expect_refused("{\"a\":{\"shape\":\"2\"}}", "", {"shape", "a string"});
  expect_refused("{\"a\":{\"shape\":[1],\"data_offsets\":[0,1]}}", "a", {"lacks dtype"});
  expect_refused("{\"a\":{\"dtype\":\"U8\",\"data_offsets\":[0,1]}}", "a", {"lacks shape"});
  expect_refused("{\"a\":{\"dtype\":\"U8\",\"shape\":[1]}}", "a", {"lacks data_offsets"});
}

TEST(Safetensors, RefusesBadNumbers) {
  expect_refused("{\"a\":" + entry("U8", "[-1]", "[0,1]") + "}", "a", {"shape", "negative"});
  expect_refused("{\"a\":" + entry("U8", "[1.0]", "[0,1]") + "}", "a", {"shape", "no 64-bit"});
  expect_refused("{\"a\":" + entry("U8", "[true]", "[0,1]") + "}", "a", {"a boolean"});
  expect_refused("{\"a\":" + entry("U8", "[[1]]", "[0,1]") + "}", "a", {"an array"});
  expect_refused("{\"a\":" + entry("U8", "[18446744073709551616]", "[0,1]") + "}", "a",
                 {"no 64-bit"});
  expect_refused("{\"a\":" + entry("U8", "[1]", "[0]") + "}", "a", {"end of its data_offsets"});
  expect_refused("{\"a\":" + entry("U8", "[1]", "[]") + "}", "a", {"end of its data_offsets"});
  expect_refused("{\"a\":" + entry("U8", "[1]", "[0,1,1]") + "}", "a", {"more than two"});
}

TEST(Safetensors, RefusesBadPlaces) {
  expect_refused("{\"a\":" + entry("U8", "[2]", "[0,2]") + "}", "a", {"\"a\"", "0 to 2"});
  expect_refused("{\"a\":" + entry("U8", "[0]", "[1,0]") + "}", "a", {"1 to 0"});
  expect_refused("{\"a\":" + entry("U8", "[1]", "[18446744073709551615,0]") + "}", "a",
                 {"18446744073709551615"});
  expect_refused("{\"a\":" + entry("NEW", "[1]", "[0,9]") + "}", "a", {"0 to 9"});
  expect_refused("{\"a\":" + entry("F32", "[1]", "[0,3]") + "}", "abc", {"do not match"});
  expect_refused("{\"a\":" + entry("F4", "[3]", "[0,1]") + "}", "a", {"do not match"});
  expect_refused("{\"a\":" + entry("F32", "[4611686018427387904,4]", "[0,1]") + "}", "a",
                 {"\"a\"", "overflows"});
  expect_refused("{\"a\":" + entry("F32", "[2305843009213693952]", "[0,1]") + "}", "a",
                 {"\"a\"", "overflows"});
  expect_refused("{\"a\":" + entry("U8", "[1]", "[0,1]") + "}", "ab", {"1 bytes after"});
  expect_refused("{\"a\":" + entry("U8", "[1]", "[1,2]") + "}", "ab", {"hole"});
  const std::string a = "{\"a\":" + entry("U8", "[2]", "[0,2]");
  expect_refused(a + ",\"b\":" + entry("U8", "[1]", "[3,4]") + "}", "abcd", {"\"b\"", "hole"});
  expect_refused(a + ",\"b\":" + entry("U8", "[2]", "[1,3]") + "}", "abc", {"\"b\"", "inside"});
  expect_refused(a + ",\"b\":" + entry("U8", "[2]", "[0,2]") + "}", "ab", {"\"b\"", "inside"});
}

TEST(Safetensors, DeepNestingIsRefusedNotRecursedInto) {
  const std::string deep(1 << 20, '[');
  expect_refused("{\"a\":{\"shape\":" + deep, "", {"an array"});
}

TEST(Safetensors, HostileNamesStayOnOneShortLine) {
  expect_refused("{\"a\\n\\u0007" + std::string(100000, 'x') + "\":1}", "", {"\"a??xxx", "..."});
}

std::string valid_file() {
  std::string header = "{\"__metadata__\":{\"a\":\"b\"},\"w\":" + entry("F32", "[2]", "[0,8]") +
                       ",\"v\":" + entry("BF16", "[1,3]", "[8,14]") + "}";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  return safetensors_bytes(header, "0123456789abcd");
}

TEST(Safetensors, EveryTruncationIsRefused) {
  const std::string file = valid_file();
  EXPECT_NO_THROW(check_safetensors(bytes_of(file), "x"));
  for (std::size_t size = 0; size < file.size(); ++size) {
    // An exact copy on the heap, so that a sanitizer sees a read past the end.
    const std::vector<char> part(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_THROW(check_safetensors(std::as_bytes(std::span(part)), "x"), Error) << size;
  }
}

RC_GTEST_PROP(Safetensors, FlippedBytesNeverCrash, ()) {
  std::string file = valid_file();
  const auto flips = *rc::gen::inRange(1, 6);
  for (int i = 0; i < flips; ++i) {
    file[*rc::gen::inRange<std::size_t>(0, file.size())] = *rc::gen::arbitrary<char>();
  }
  try {
    check_safetensors(bytes_of(file), "x");
  } catch (const Error& failure) {
    RC_ASSERT(failure.kind() == ErrorKind::kInput);
  }
}

// ---- writer

RC_GTEST_PROP(SafetensorsWriter, RoundTrip, ()) {
  const std::vector<DType> types = {DType::kF32, DType::kF16, DType::kBF16};
  std::vector<std::string> data;
  std::vector<TensorView> tensors;
  const auto count = *rc::gen::inRange<std::size_t>(0, 6);
  for (std::size_t i = 0; i < count; ++i) {
    TensorView view;
    view.name = std::to_string(i) + *rc::gen::element<std::string>("", ".weight", "\"\\\n", "ü");
    view.type = *rc::gen::elementOf(types);
    view.shape = *rc::gen::container<std::vector<std::size_t>>(rc::gen::inRange<std::size_t>(0, 5));
    std::size_t bytes = block_bytes(view.type);
    for (const std::size_t dim : view.shape) bytes *= dim;
    data.push_back(*rc::gen::container<std::string>(bytes, rc::gen::arbitrary<char>()));
    tensors.push_back(view);
  }
  for (std::size_t i = 0; i < count; ++i) tensors[i].bytes = bytes_of(data[i]);
  const auto ascii = rc::gen::container<std::string>(rc::gen::inRange<char>(0, 127));
  const auto metadata = *rc::gen::container<std::map<std::string, std::string>>(ascii, ascii);

  test::TemporaryFolder folder;
  write_safetensors(folder / "a", tensors, metadata);
  const SafetensorsFile file(folder / "a");
  RC_ASSERT(file.metadata() == metadata);
  RC_ASSERT(file.names().size() == count);
  for (std::size_t i = 0; i < count; ++i) {
    RC_ASSERT(file.names()[i] == tensors[i].name);
    const TensorView back = file.tensor(tensors[i].name);
    RC_ASSERT(back.type == tensors[i].type);
    RC_ASSERT(back.shape == tensors[i].shape);
    RC_ASSERT(std::equal(back.bytes.begin(), back.bytes.end(), tensors[i].bytes.begin(),
                         tensors[i].bytes.end()));
  }
}

TEST(SafetensorsWriter, RefusesWhatTheFormatCannotHold) {
  test::TemporaryFolder folder;
  const std::string data(34, 'x');
  const auto refused = [&](std::vector<TensorView> tensors, const std::string& part) {
    expect_input_error([&] { write_safetensors(folder / "a.safetensors", tensors); },
                       {"a.safetensors", part});
    EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
  };
  const auto bytes = bytes_of(data);
  refused({{"q", DType::kQ8_0, {32}, bytes}}, "q8_0");
  refused({{"a", DType::kF32, {1}, bytes.first(4)}, {"a", DType::kF32, {0}, {}}}, "twice");
  refused({{"__metadata__", DType::kF32, {0}, {}}}, "reserved");
  refused({{"a", DType::kF32, {2}, bytes.first(4)}}, "needs 8");
  refused({{"\xff", DType::kF32, {0}, {}}}, "UTF-8");
}

}  // namespace
}  // namespace laconic
