// SPDX-License-Identifier: Apache-2.0
#include "train/error_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <new>
#include <stdexcept>

#include "train/compat.h"

namespace laconic::train {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(ErrorText, IsOneSentence) {
  EXPECT_EQ(error_text(std::runtime_error("one\ntwo.\n")), "one two");
  EXPECT_EQ(error_text(std::runtime_error("")), "");
  EXPECT_THAT(error_text(std::bad_alloc()), HasSubstr("too little free memory"));
}

TEST(ErrorText, OfLibtorchHasNoStackOfCalls) {
  try {
    at::zeros({2, 3}).matmul(at::zeros({2, 3}));
    FAIL() << "libtorch multiplies anything";
  } catch (const std::exception& error) {
    EXPECT_THAT(error_text(error), HasSubstr("2x3"));
    EXPECT_THAT(error_text(error), Not(HasSubstr("frame #")));
    EXPECT_THAT(error_text(error), Not(HasSubstr("Exception raised from")));
  }
}

}  // namespace
}  // namespace laconic::train
