// SPDX-License-Identifier: Apache-2.0
// What the writer puts down: read back equal, with the value types that llama.cpp asks for, and
// nothing at all when something is wrong.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "file_bytes.h"
#include "io/gguf.h"
#include "test_paths.h"

namespace laconic {
namespace {

using namespace test;

std::vector<std::byte> produced(std::size_t bytes, std::size_t seed) {
  std::vector<std::byte> out(bytes);
  for (std::size_t i = 0; i < bytes; ++i) out[i] = static_cast<std::byte>(i * 7 + seed);
  return out;
}

std::size_t plan_bytes(const GgufTensorPlan& plan) {
  std::size_t rows = 1;
  for (std::size_t i = 0; i + 1 < plan.shape.size(); ++i) rows *= plan.shape[i];
  return rows * row_bytes(plan.type, plan.shape.back());
}

rc::Gen<GgufValue> any_value() {
  const auto text = rc::gen::string<std::string>();
  const auto real = rc::gen::map(rc::gen::arbitrary<float>(), [](float v) { return double{v}; });
  const auto held = [](const auto& gen) {
    return rc::gen::map(gen, [](const auto& v) { return GgufValue(v); });
  };
  return rc::gen::oneOf(held(rc::gen::arbitrary<std::uint64_t>()),
                        held(rc::gen::arbitrary<std::int64_t>()), held(real),
                        held(rc::gen::arbitrary<bool>()), held(text),
                        held(rc::gen::arbitrary<std::vector<std::uint64_t>>()),
                        held(rc::gen::arbitrary<std::vector<std::int64_t>>()),
                        held(rc::gen::container<std::vector<double>>(real)),
                        held(rc::gen::arbitrary<std::vector<bool>>()),
                        held(rc::gen::container<std::vector<std::string>>(text)));
}

RC_GTEST_PROP(GgufWriter, RoundTrip, ()) {
  const std::vector<DType> types = {DType::kF32, DType::kF16, DType::kBF16, DType::kQ8_0,
                                    DType::kQ4_0};
  GgufMetadata metadata;
  const auto pairs = *rc::gen::inRange(0, 8);
  for (int i = 0; i < pairs; ++i) metadata.emplace(fmt::format("k{}", i), *any_value());
  std::vector<GgufTensorPlan> plans;
  const auto count = *rc::gen::inRange<std::size_t>(0, 5);
  for (std::size_t i = 0; i < count; ++i) {
    GgufTensorPlan plan;
    plan.name = fmt::format("t{}", i);
    plan.type = *rc::gen::elementOf(types);
    const auto dims = *rc::gen::inRange<std::size_t>(1, 5);
    for (std::size_t d = 0; d < dims; ++d)
      plan.shape.push_back(*rc::gen::inRange<std::size_t>(0, 4));
    plan.shape.back() *= block_elements(plan.type);
    plans.push_back(plan);
  }

  TemporaryFolder folder;
  write_gguf(folder / "a.gguf", metadata, plans,
             [&](std::size_t i) { return produced(plan_bytes(plans[i]), i); });
  const GgufFile file(folder / "a.gguf");
  RC_ASSERT(file.metadata() == metadata);
  RC_ASSERT(file.names().size() == count);
  for (std::size_t i = 0; i < count; ++i) {
    RC_ASSERT(file.names()[i] == plans[i].name);
    const TensorView view = file.tensor(plans[i].name);
    RC_ASSERT(view.type == plans[i].type);
    RC_ASSERT(view.shape == plans[i].shape);
    const auto expected = produced(plan_bytes(plans[i]), i);
    RC_ASSERT(std::equal(view.bytes.begin(), view.bytes.end(), expected.begin(), expected.end()));
  }
}

// The file's bytes behind the fixed start, for a single pair.
std::string written_pair(const GgufValue& value) {
  TemporaryFolder folder;
  write_gguf(folder / "a.gguf", {{"k", value}}, {}, nullptr);
  return read_file(folder / "a.gguf").substr(24);
}

TEST(GgufWriter, ValueTypesAreThoseLlamaCppReads) {
  const auto expect = [](const GgufValue& value, GgufType type, const std::string& bytes) {
    const std::string pair = gguf_pair("k", type, bytes);
    const std::string written = written_pair(value);
    EXPECT_EQ(written.substr(0, pair.size()), pair);
    EXPECT_EQ(written.substr(pair.size()).find_first_not_of('\0'), std::string::npos);
  };
  expect(std::uint64_t{5}, GgufType::kUint32, raw(std::uint32_t{5}));
  expect(std::uint64_t{1} << 32, GgufType::kUint64, raw(std::uint64_t{1} << 32));
  expect(std::int64_t{-5}, GgufType::kInt32, raw(std::int32_t{-5}));
  expect(std::int64_t{1} << 31, GgufType::kInt64, raw(std::int64_t{1} << 31));
  expect(1e-6, GgufType::kFloat32, raw(1e-6f));
  expect(1e300, GgufType::kFloat64, raw(1e300));
  expect(true, GgufType::kBool, "\1");
  expect(std::string("ab"), GgufType::kString, gguf_string_bytes("ab"));
  expect(std::vector<std::int64_t>{1, -1}, GgufType::kArray,
         gguf_array(GgufType::kInt32, 2, raw(std::int32_t{1}) + raw(std::int32_t{-1})));
  expect(std::vector<std::uint64_t>{7}, GgufType::kArray,
         gguf_array(GgufType::kUint32, 1, raw(std::uint32_t{7})));
  expect(std::vector<double>{0.5}, GgufType::kArray, gguf_array(GgufType::kFloat32, 1, raw(0.5f)));
  expect(std::vector<bool>{false, true}, GgufType::kArray,
         gguf_array(GgufType::kBool, 2, std::string("\0\1", 2)));
  expect(std::vector<std::string>{"a", ""}, GgufType::kArray,
         gguf_array(GgufType::kString, 2, gguf_string_bytes("a") + gguf_string_bytes("")));
}

TEST(GgufWriter, WritesThisFile) {
  TemporaryFolder folder;
  const std::vector<GgufTensorPlan> plans = {{"a", DType::kF32, {2, 1}}, {"b", DType::kF16, {1}}};
  write_gguf(folder / "a.gguf", {}, plans,
             [](std::size_t i) { return std::vector<std::byte>(i == 0 ? 8 : 2, std::byte{'x'}); });
  GgufParts expected;
  expected.tensors = {gguf_tensor("a", {1, 2}, 0, 0), gguf_tensor("b", {1}, 1, 32)};
  expected.data = std::string(8, 'x') + std::string(24, '\0') + "xx" + std::string(30, '\0');
  EXPECT_EQ(read_file(folder / "a.gguf"), expected.bytes());
}

TEST(GgufWriter, KeysOfTheContainerAreItsOwn) {
  TemporaryFolder folder;
  write_gguf(folder / "a.gguf",
             {{"general.alignment", std::uint64_t{64}}, {"split.count", std::uint64_t{3}}}, {},
             nullptr);
  EXPECT_TRUE(GgufFile(folder / "a.gguf").metadata().empty());
}

TEST(GgufWriter, RefusesAndLeavesNothingBehind) {
  TemporaryFolder folder;
  const auto refused = [&](std::vector<GgufTensorPlan> plans, std::size_t bytes,
                           const std::string& part) {
    expect_input_error(
        [&] {
          write_gguf(folder / "a.gguf", {}, plans,
                     [&](std::size_t) { return std::vector<std::byte>(bytes); });
        },
        {"a.gguf", part});
    EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
  };
  refused({{"a", DType::kF32, {2}}}, 7, "7 bytes");
  refused({{"a", DType::kF32, {}}}, 4, "0 dimensions");
  refused({{"a", DType::kF32, {1, 1, 1, 1, 1}}}, 4, "5 dimensions");
  refused({{"a", DType::kQ8_0, {33}}}, 34, "multiple of 32");
  refused({{"a", DType::kF32, {1}}, {"a", DType::kF32, {1}}}, 4, "twice");
  refused({{std::string(64, 'n'), DType::kF32, {1}}}, 4, "64 bytes");
  refused({{"a", DType::kF32, {std::size_t{1} << 62, 4}}}, 4, "overflows");
}

TEST(GgufWriter, AProducerThatThrowsLeavesNothingBehind) {
  TemporaryFolder folder;
  const std::vector<GgufTensorPlan> plans = {{"a", DType::kF32, {1}}};
  EXPECT_THROW(write_gguf(folder / "a.gguf", {}, plans,
                          [](std::size_t) -> std::vector<std::byte> { throw 7; }),
               int);
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(GgufWriter, AsksForTensorsInOrderAndOnce) {
  TemporaryFolder folder;
  std::vector<GgufTensorPlan> plans;
  for (int i = 0; i < 5; ++i) plans.push_back({fmt::format("t{}", i), DType::kF32, {1}});
  std::vector<std::size_t> asked;
  write_gguf(folder / "a.gguf", {}, plans, [&](std::size_t i) {
    asked.push_back(i);
    return std::vector<std::byte>(4);
  });
  EXPECT_THAT(asked, ::testing::ElementsAre(0, 1, 2, 3, 4));
}

}  // namespace
}  // namespace laconic
