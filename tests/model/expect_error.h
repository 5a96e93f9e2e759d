// SPDX-License-Identifier: Apache-2.0
// One-sentence errors: that they come, of which kind, and what they name.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>

#include "laconic/error.h"

namespace laconic::test {

// The error that `body` throws, or nothing.
template <typename Body>
std::optional<Error> error_of(Body&& body) {
  try {
    std::forward<Body>(body)();
  } catch (const Error& error) {
    return error;
  }
  return std::nullopt;
}

template <typename Body>
void expect_error(ErrorKind kind, const std::string& part, Body&& body) {
  const std::optional<Error> error = error_of(std::forward<Body>(body));
  ASSERT_TRUE(error.has_value()) << "no error; expected one with \"" << part << "\"";
  EXPECT_EQ(error->kind(), kind) << error->what();
  EXPECT_THAT(error->what(), ::testing::HasSubstr(part));
}

}  // namespace laconic::test
