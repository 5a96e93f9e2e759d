// SPDX-License-Identifier: Apache-2.0
// GGUF files that are in order: every kind of value, tensors of every supported type, look-ups.
#include "io/gguf.h"

#include <gtest/gtest.h>

#include "file_bytes.h"
#include "test_paths.h"

namespace laconic {
namespace {

using namespace test;
using ::testing::ElementsAre;
using Strings = std::vector<std::string>;

GgufMetadata metadata_of(const std::vector<std::string>& pairs) {
  GgufParts parts;
  parts.pairs = pairs;
  return parse_gguf_header(bytes_of(parts.bytes()), "x").metadata;
}

TEST(Gguf, HoldsEveryKindOfValue) {
  const GgufMetadata m = metadata_of({
      gguf_pair("u8", GgufType::kUint8, raw(std::uint8_t{200})),
      gguf_pair("i8", GgufType::kInt8, raw(std::int8_t{-2})),
      gguf_pair("u16", GgufType::kUint16, raw(std::uint16_t{60000})),
      gguf_pair("i16", GgufType::kInt16, raw(std::int16_t{-300})),
      gguf_pair("u32", GgufType::kUint32, raw(std::uint32_t{4000000000u})),
      gguf_pair("i32", GgufType::kInt32, raw(std::int32_t{-70000})),
      gguf_pair("u64", GgufType::kUint64, raw(~std::uint64_t{0})),
      gguf_pair("i64", GgufType::kInt64, raw(std::int64_t{-1} << 40)),
      gguf_pair("f32", GgufType::kFloat32, raw(0.1f)),
      gguf_pair("f64", GgufType::kFloat64, raw(0.1)),
      gguf_pair("yes", GgufType::kBool, "\1"),
      gguf_pair("text", GgufType::kString, gguf_string_bytes("héllo")),
  });
  EXPECT_EQ(gguf_uint(m, "u8"), 200u);
  EXPECT_EQ(std::get<std::int64_t>(m.at("i8")), -2);
  EXPECT_EQ(gguf_uint(m, "u16"), 60000u);
  EXPECT_EQ(std::get<std::int64_t>(m.at("i16")), -300);
  EXPECT_EQ(gguf_uint(m, "u32"), 4000000000u);
  EXPECT_EQ(std::get<std::int64_t>(m.at("i32")), -70000);
  EXPECT_EQ(gguf_uint(m, "u64"), ~std::uint64_t{0});
  EXPECT_EQ(std::get<std::int64_t>(m.at("i64")), std::int64_t{-1} << 40);
  EXPECT_EQ(gguf_float(m, "f32"), static_cast<double>(0.1f));
  EXPECT_EQ(gguf_float(m, "f64"), 0.1);
  EXPECT_EQ(gguf_bool(m, "yes"), true);
  EXPECT_EQ(gguf_string(m, "text"), "héllo");
  EXPECT_EQ(gguf_string(m, "absent"), std::nullopt);
}

TEST(Gguf, HoldsEveryKindOfArray) {
  const GgufMetadata m = metadata_of({
      gguf_pair("u8", GgufType::kArray, gguf_array(GgufType::kUint8, 2, "\1\2")),
      gguf_pair("i32", GgufType::kArray,
                gguf_array(GgufType::kInt32, 2, raw(std::int32_t{3}) + raw(std::int32_t{-4}))),
      gguf_pair("f32", GgufType::kArray, gguf_array(GgufType::kFloat32, 2, raw(0.5f) + raw(-1.0f))),
      gguf_pair("bool", GgufType::kArray, gguf_array(GgufType::kBool, 2, std::string("\1\0", 2))),
      gguf_pair("strings", GgufType::kArray,
                gguf_array(GgufType::kString, 2, gguf_string_bytes("") + gguf_string_bytes("x"))),
      gguf_pair("none", GgufType::kArray, gguf_array(GgufType::kString, 0, "")),
  });
  EXPECT_THAT(*gguf_ints(m, "u8"), ElementsAre(1, 2));
  EXPECT_THAT(*gguf_ints(m, "i32"), ElementsAre(3, -4));
  EXPECT_THAT(*gguf_floats(m, "f32"), ElementsAre(0.5, -1.0));
  EXPECT_THAT(*gguf_floats(m, "i32"), ElementsAre(3.0, -4.0));
  EXPECT_THAT(std::get<std::vector<bool>>(m.at("bool")), ElementsAre(true, false));
  EXPECT_THAT(*gguf_strings(m, "strings"), ElementsAre("", "x"));
  EXPECT_TRUE(gguf_strings(m, "none")->empty());
  EXPECT_EQ(gguf_strings(m, "absent"), nullptr);
  EXPECT_EQ(gguf_ints(m, "absent"), std::nullopt);
}

TEST(Gguf, LookUpsNameTheKeyOfTheWrongKind) {
  const GgufMetadata m = {{"text", std::string("x")},
                          {"minus", std::int64_t{-1}},
                          {"three", std::int64_t{3}},
                          {"list", std::vector<std::uint64_t>{~std::uint64_t{0}}}};
  expect_input_error([&] { gguf_uint(m, "text"); }, {"\"text\"", "a string"});
  expect_input_error([&] { gguf_uint(m, "minus"); }, {"\"minus\"", "-1"});
  expect_input_error([&] { gguf_float(m, "text"); }, {"\"text\""});
  expect_input_error([&] { gguf_bool(m, "three"); }, {"\"three\"", "a boolean is expected"});
  expect_input_error([&] { gguf_string(m, "three"); }, {"\"three\""});
  expect_input_error([&] { gguf_strings(m, "list"); }, {"\"list\""});
  expect_input_error([&] { gguf_floats(m, "text"); }, {"\"text\""});
  expect_input_error([&] { gguf_ints(m, "text"); }, {"\"text\""});
  expect_input_error([&] { gguf_ints(m, "list"); }, {"\"list\"", "18446744073709551615"});
  EXPECT_EQ(gguf_uint(m, "three"), 3u);
  EXPECT_EQ(gguf_float(m, "three"), 3.0);
}

TEST(Gguf, TensorsOfEverySupportedType) {
  TemporaryFolder folder;
  const GgufParts parts = valid_gguf();
  write_file_atomic(folder / "a.gguf", parts.bytes());
  const GgufFile file(folder / "a.gguf");
  EXPECT_EQ(file.version(), 3u);
  EXPECT_THAT(file.names(),
              ElementsAre("f32", "f16", "q4_0", "q8_0", "bf16", "q4_k", "q5_k", "q6_k"));
  const auto expect = [&](const std::string& name, DType type, std::vector<std::size_t> shape,
                          std::size_t begin, std::size_t bytes) {
    const TensorView view = file.tensor(name);
    EXPECT_EQ(view.name, name);
    EXPECT_EQ(view.type, type) << name;
    EXPECT_EQ(view.shape, shape) << name;
    ASSERT_EQ(view.bytes.size(), bytes) << name;
    EXPECT_EQ(view.bytes[0], static_cast<std::byte>(parts.data[begin])) << name;
  };
  expect("f32", DType::kF32, {2, 3}, 0, 24);
  expect("f16", DType::kF16, {5, 1, 1, 2}, 32, 20);
  expect("q4_0", DType::kQ4_0, {2, 32}, 64, 36);
  expect("q8_0", DType::kQ8_0, {32}, 128, 34);
  expect("bf16", DType::kBF16, {7}, 192, 14);
  expect("q4_k", DType::kQ4_K, {2, 256}, 224, 2 * 144);
  expect("q5_k", DType::kQ5_K, {256}, 512, 176);
  expect("q6_k", DType::kQ6_K, {1, 512}, 704, 2 * 210);
  EXPECT_FALSE(file.contains("f64"));
  expect_input_error([&] { file.tensor("f64"); }, {"a.gguf", "\"f64\""});
}

TEST(Gguf, OtherTypesAreRefusedByNameWhenAskedFor) {
  TemporaryFolder folder;
  GgufParts parts;
  parts.tensors = {gguf_tensor("k", {256}, 10, 0), gguf_tensor("new", {256}, 77, 32),
                   gguf_tensor("f", {2}, 0, 160)};
  parts.data = std::string(168, 'd');
  write_file_atomic(folder / "a.gguf", parts.bytes());
  const GgufFile file(folder / "a.gguf");
  EXPECT_EQ(file.tensor("f").bytes.size(), 8u);
  expect_input_error([&] { file.tensor("k"); }, {"a.gguf", "\"k\"", "Q2_K", "Q8_0, Q4_0, Q4_K"});
  expect_input_error([&] { file.tensor("new"); }, {"a.gguf", "\"new\"", "type 77"});
}

TEST(Gguf, TypeNumbersGoBothWays) {
  for (const DType type : {DType::kF32, DType::kF16, DType::kBF16, DType::kQ8_0, DType::kQ4_0,
                           DType::kQ4_K, DType::kQ5_K, DType::kQ6_K}) {
    EXPECT_EQ(dtype_from_ggml(ggml_from_dtype(type)), type);
  }
  EXPECT_EQ(ggml_type_name(ggml_from_dtype(DType::kBF16)), "BF16");
  EXPECT_EQ(ggml_type_name(ggml_from_dtype(DType::kQ4_K)), "Q4_K");
  EXPECT_EQ(ggml_type_name(ggml_from_dtype(DType::kQ5_K)), "Q5_K");
  EXPECT_EQ(ggml_type_name(14), "Q6_K");
  EXPECT_EQ(ggml_type_name(39), "MXFP4");
  EXPECT_EQ(dtype_from_ggml(3), std::nullopt);
}

TEST(Gguf, AlignmentOfTheFileIsKept) {
  TemporaryFolder folder;
  GgufParts parts;
  parts.alignment = 8;
  parts.pairs = {gguf_pair("general.alignment", GgufType::kUint32, raw(std::uint32_t{8}))};
  parts.tensors = {gguf_tensor("a", {1}, 0, 0), gguf_tensor("b", {1}, 0, 8)};
  parts.data = "aaaa....bbbb";
  write_file_atomic(folder / "a.gguf", parts.bytes());
  const GgufFile file(folder / "a.gguf");
  EXPECT_EQ(file.tensor("b").bytes[0], static_cast<std::byte>('b'));
}

}  // namespace
}  // namespace laconic
