// SPDX-License-Identifier: Apache-2.0
#include "eval/arm_spec.h"

#include <gtest/gtest.h>

#include "eval/eval_testing.h"

namespace laconic::test {
namespace {

std::vector<std::string> names(const std::vector<std::string>& items) {
  std::vector<std::string> out;
  for (const ArmSpec& arm : parse_arms(items, "")) out.push_back(arm.name);
  return out;
}

void expect_refused(const std::vector<std::string>& items, const std::string& part) {
  expect_error(ErrorKind::kUsage, part, [&] { parse_arms(items, ""); });
}

TEST(ArmSpec, RepeatedOrWithCommas) {
  const std::vector<std::string> expected = {"full", "rpc:interval=64,window=8,ratio=4", "rpc"};
  EXPECT_EQ(names({"full", "rpc:interval=64,window=8,ratio=4", "rpc"}), expected);
  EXPECT_EQ(names({"full,rpc:interval=64,window=8,ratio=4,rpc"}), expected);
  EXPECT_EQ(names({"full,rpc:interval=64,window=8,ratio=4", "rpc"}), expected);
  EXPECT_EQ(names({"rpc,interval=64"}), std::vector<std::string>{"rpc:interval=64"});
}

TEST(ArmSpec, TheOptionsArriveAtThePolicy) {
  const std::vector<std::string> items = {"full,rpc:interval=64,window=8,ratio=2,type=f32"};
  const std::vector<ArmSpec> arms = parse_arms(items, "bf16");
  ASSERT_EQ(arms.size(), 2u);
  EXPECT_EQ(arms[0].kv.policy, KvPolicy::kFull);
  EXPECT_EQ(arms[0].kv.type, KvType::kBF16);
  EXPECT_EQ(arms[1].kv.policy, KvPolicy::kRpc);
  EXPECT_EQ(arms[1].kv.type, KvType::kF32);
  EXPECT_EQ(arms[1].kv.interval, 64u);
  EXPECT_EQ(arms[1].kv.window, 8u);
  EXPECT_EQ(arms[1].kv.ratio, 2.0);
}

TEST(ArmSpec, MistakesAreNamed) {
  expect_refused({"lru"}, "lru");
  expect_refused({""}, "empty part");
  expect_refused({"full,,rpc"}, "empty part");
  expect_refused({"full,"}, "empty part");
  expect_refused({"window=8,full"}, "begins with an option");
  expect_refused({"full", "window=8"}, "begins with an option");
  expect_refused({"full,window=8"}, "--kv-window does not apply");
  expect_refused({"rpc:"}, "is no option");
  expect_refused({"rpc:window"}, "'window' is no option");
  expect_refused({"rpc:=8"}, "'=8' is no option");
  expect_refused({"rpc:window=8,window=9"}, "window is given twice");
  expect_refused({"rpc:window=0"}, "--compare rpc:window=0: ");
  expect_refused({"rpc:sinks=4"}, "sinks");
  expect_refused({"full,full"}, "same cache");
  expect_refused({"rpc:window=8,ratio=2", "rpc:ratio=2,window=8"}, "same cache");
}

}  // namespace
}  // namespace laconic::test
