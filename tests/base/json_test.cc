// SPDX-License-Identifier: Apache-2.0
#include "base/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace laconic {
namespace {

template <typename Action>
void expect_input_error(Action&& action, const std::string& part) {
  try {
    action();
    FAIL() << "nothing was thrown; expected: " << part;
  } catch (const Error& failure) {
    EXPECT_EQ(failure.kind(), ErrorKind::kInput);
    EXPECT_THAT(failure.what(), ::testing::HasSubstr("config.json"));
    EXPECT_THAT(failure.what(), ::testing::HasSubstr(part));
  }
}

TEST(Json, BadSyntaxNamesTheDocumentAndThePlace) {
  for (const char* text : {"", "{", "{\"a\":1,}", "nul", "\"\xff\"", "{} {}"}) {
    expect_input_error([&] { parse_json(text, "config.json"); }, "not valid JSON");
  }
  expect_input_error([] { parse_json("[1, x]", "config.json"); }, "near byte 5");
}

std::string nested(std::size_t levels) {
  return std::string(levels, '[') + std::string(levels, ']');
}

TEST(Json, NestsNoDeeperThanIsSafe) {
  EXPECT_EQ(parse_json(nested(kMostJsonLevels), "c").size(), 1u);
  EXPECT_NO_THROW(parse_json("[[], [], " + nested(kMostJsonLevels - 1) + "]", "c"));
  const std::string text = "\"" + std::string(1000, '[') + "\\\"[" + "\"";
  EXPECT_EQ(parse_json(text, "c").get<std::string>().size(), 1002u);
  for (const std::string& deep : {nested(kMostJsonLevels + 1), nested(1000000),
                                  std::string(1000000, '['), "{\"a\":\"]\\\"\"," + nested(200)}) {
    expect_input_error([&] { parse_json(deep, "config.json"); }, "deeper than 128 levels");
  }
}

TEST(Json, FieldsByType) {
  const Json document =
      parse_json(R"({"n":3,"minus":-3,"x":0.5,"s":"t","b":true,"none":null,"a":[1,2]})", "c");
  EXPECT_EQ(json_required<int>(document, "n", "c"), 3);
  EXPECT_EQ(json_required<int>(document, "minus", "c"), -3);
  EXPECT_EQ(json_required<double>(document, "x", "c"), 0.5);
  EXPECT_EQ(json_required<double>(document, "n", "c"), 3.0);
  EXPECT_EQ(json_required<std::string>(document, "s", "c"), "t");
  EXPECT_EQ(json_required<bool>(document, "b", "c"), true);
  EXPECT_EQ(json_required<std::vector<int>>(document, "a", "c"), (std::vector<int>{1, 2}));
  EXPECT_EQ(json_optional<int>(document, "absent", "c"), std::nullopt);
  EXPECT_EQ(json_optional<int>(document, "none", "c"), std::nullopt);
}

TEST(Json, WrongFieldsAreNamed) {
  const Json document = parse_json(R"({"x":0.5,"s":"t","minus":-1,"none":null})", "c");
  const auto where = "config.json";
  expect_input_error([&] { json_required<int>(document, "absent", where); },
                     "\"absent\" is missing");
  expect_input_error([&] { json_required<int>(document, "none", where); }, "\"none\" is missing");
  expect_input_error([&] { json_optional<int>(document, "x", where); }, "must be an integer");
  expect_input_error([&] { json_optional<int>(document, "s", where); }, "must be an integer");
  expect_input_error([&] { json_optional<std::size_t>(document, "minus", where); }, "negative");
  expect_input_error([&] { json_optional<bool>(document, "s", where); },
                     "unexpected type (string)");
  expect_input_error([&] { json_optional<std::string>(document, "x", where); }, "unexpected type");
  expect_input_error([&] { json_optional<int>(Json::array(), "x", where); }, "an object");
}

}  // namespace
}  // namespace laconic
