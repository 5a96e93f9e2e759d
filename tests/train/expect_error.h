// SPDX-License-Identifier: Apache-2.0
// An Error of a kind whose sentence says all of these.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <initializer_list>
#include <string>

#include "laconic/error.h"

namespace laconic::train::test {

inline void expect_error(const std::function<void()>& action, ErrorKind kind,
                         std::initializer_list<const char*> parts) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    for (const char* part : parts) EXPECT_THAT(error.what(), ::testing::HasSubstr(part));
    return;
  }
  ADD_FAILURE() << "no error was thrown";
}

}  // namespace laconic::train::test
