// SPDX-License-Identifier: Apache-2.0
// What the tests of evaluations share: a model, problems, arms.
#pragma once

#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "base/error.h"
#include "eval/evaluate.h"

namespace laconic::test {

// A small random model that needs no shared data; made once per process. Another seed, other
// weights.
const Model& tiny_model();
Model random_model(std::uint64_t seed);

// Problems about nothing, in two families.
std::vector<TaskItem> some_problems(std::size_t count);

// "full", or "rpc:..." and the like; f32 rows, at most `tokens` tokens.
ArmOptions arm_of(const std::string& spec, std::int64_t tokens = 60);

// As JSON, without the time that it took.
Json timeless(const Sample& sample);
std::vector<Json> timeless(const std::vector<Sample>& samples);

template <typename Action>
void expect_error(ErrorKind kind, const std::string& part, Action&& action) {
  try {
    action();
    ADD_FAILURE() << "no error with: " << part;
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    EXPECT_THAT(error.what(), ::testing::HasSubstr(part));
  }
}

}  // namespace laconic::test
