// SPDX-License-Identifier: Apache-2.0
#include "eval/task.h"

#include <gtest/gtest.h>

#include "base/file.h"
#include "eval/eval_testing.h"
#include "test_paths.h"

namespace laconic::test {
namespace {

class Task : public ::testing::Test {
 protected:
  std::vector<TaskItem> load(const std::string& content) const {
    write_file_atomic(folder_ / "task.jsonl", content);
    return load_task(folder_ / "task.jsonl");
  }
  void expect_refused(const std::string& content, const std::string& part) const {
    expect_error(ErrorKind::kInput, part, [&] { load(content); });
  }
  TemporaryFolder folder_;
};

const std::string kGood = R"({"question":"1 and 1?","answer":"1 + 1 = 2\n#### 2"})";

TEST_F(Task, ReadsTheFormOfGsm8k) {
  const auto items = load(kGood + "\n" +
                          R"({"question":"q","answer":"#### $1,234.50","id":"x-7","family":"sums"})"
                          "\r\n" +
                          R"({"question":"q","answer":"#### 1\n#### -3","id":7})");
  ASSERT_EQ(items.size(), 3u);
  EXPECT_EQ(items[0].id, "1");
  EXPECT_EQ(items[0].family, "");
  EXPECT_EQ(items[0].question, "1 and 1?");
  EXPECT_EQ(items[0].gold, "2");
  EXPECT_EQ(items[1].id, "x-7");
  EXPECT_EQ(items[1].family, "sums");
  EXPECT_EQ(items[1].gold, "1234.50");
  EXPECT_EQ(items[2].id, "7");
  EXPECT_EQ(items[2].gold, "-3");
}

TEST_F(Task, MistakesAreNamedWithTheirLine) {
  const auto second = [](const std::string& line) { return kGood + "\n" + line + "\n"; };
  expect_refused("", "is empty");
  expect_refused(second(""), "line 2: the line is empty");
  expect_refused(second("  ") + kGood, "line 2: the line is empty");
  expect_refused(second("{"), "line 2: not valid JSON");
  expect_refused(second("[1]"), "line 2: an object is expected");
  expect_refused(second("\"q\""), "line 2: an object is expected");
  expect_refused(second(R"({"answer":"#### 2"})"), "line 2: \"question\" is missing");
  expect_refused(second(R"({"question":" ","answer":"#### 2"})"), "line 2: \"question\" is empty");
  expect_refused(second(R"({"question":3,"answer":"#### 2"})"), "line 2: \"question\" has");
  expect_refused(second(R"({"question":"q"})"), "line 2: \"answer\" is missing");
  expect_refused(second(R"({"question":"q","answer":"2"})"), "line 2: \"answer\" has no \"####\"");
  expect_refused(second(R"({"question":"q","answer":"2 #### two"})"),
                 "line 2: \"answer\" has no number");
  expect_refused(second(R"({"question":"q","answer":"#### two\n99"})"),
                 "line 2: \"answer\" has no number");
  expect_refused(second(R"({"question":"q","answer":"2 ####"})"),
                 "line 2: \"answer\" has no number");
  expect_refused(second(R"({"question":"q","answer":"#### 2","id":1})"), "also that of line 1");
  expect_refused(second(R"({"question":"q","answer":"#### 2","id":""})"), "\"id\" is empty");
  expect_refused(second(R"({"question":"q","answer":"#### 2","id":[]})"), "\"id\" has");
  expect_refused(second(R"({"question":"q","answer":"#### 2","family":1})"), "\"family\" has");
  expect_error(ErrorKind::kInput, "absent", [&] { load_task(folder_ / "absent.jsonl"); });
}

}  // namespace
}  // namespace laconic::test
