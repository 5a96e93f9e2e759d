// SPDX-License-Identifier: Apache-2.0
// `laconic kv heads`: the map, the JSON and the picture of a table, and what is refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "test_paths.h"
#include "tool.h"

namespace laconic::test {
namespace {

using ::testing::HasSubstr;

TEST(KvHeads, MapJsonAndPicture) {
  const TemporaryFolder folder;
  const std::string table = folder / "heads.tsv", picture = folder / "heads.svg";
  write_file_atomic(table, "0.9\t-0.1\n0.25\t1.5\n0.5\t0\n");
  const Outcome map = run_tool({"kv", "heads", table, "--kv-sparsity", "0.4"});
  ASSERT_EQ(map.code, 0) << map.err;
  EXPECT_THAT(map.out, HasSubstr("3 layers x 2 KV heads"));
  EXPECT_THAT(map.out, HasSubstr("    0  [@]       "));
  EXPECT_THAT(map.out, HasSubstr("    1  [:][@]       2 0.625\n"));
  EXPECT_THAT(
      map.out,
      HasSubstr("4 of 6 heads full at sparsity 0.4, scores down to 0.25; others up to 0\n"));

  const Json chosen = run_tool({"kv", "heads", table, "--kv-sparsity", "0.4", "--json"}).json();
  EXPECT_EQ(chosen["full"], Json::parse("[[0], [0, 1], [0]]"));
  EXPECT_EQ(chosen["count"], 4);
  EXPECT_EQ(chosen["sparsity"], 0.4);
  EXPECT_EQ(run_tool({"kv", "heads", table, "--kv-sparsity", ".40", "--json"}).json(), chosen);
  const Json by_score =
      run_tool({"kv", "heads", table, "--kv-heads-threshold", "0.5", "--json"}).json();
  EXPECT_EQ(by_score["full"], Json::parse("[[0], [1], [0]]"));
  const Json bare = run_tool({"kv", "heads", table, "--json"}).json();
  EXPECT_EQ(bare["scores"], Json::parse("[[0.9, -0.1], [0.25, 1.5], [0.5, 0.0]]"));
  EXPECT_FALSE(bare.contains("full"));

  ASSERT_EQ(run_tool({"kv", "heads", table, "--kv-sparsity", "0.4", "--svg", picture}).code, 0);
  const std::string drawn = read_file(picture);
  EXPECT_TRUE(drawn.starts_with("<svg ") && drawn.ends_with("</svg>\n"));
  EXPECT_THAT(drawn, HasSubstr("layer 1, head 1: 1, full"));
}

TEST(KvHeads, RefusesWithReasons) {
  const TemporaryFolder folder;
  const std::string table = folder / "heads.tsv", model = folder / "tiny";
  write_file_atomic(table, "0.9\t0.1\n0.2\t0.3\n0.5\t0\n");
  make_tiny(model);  // 3 layers of 2 KV heads
  EXPECT_EQ(run_tool({"kv", "heads", table, "--model", model}).code, 0);
  EXPECT_EQ(run_tool({"kv", "heads", "random:3", "--model", model}).code, 0);
  expect_refusal(run_tool({"kv", "heads", "random:3"}), 2, "--model");
  expect_refusal(run_tool({"kv", "heads", "random:x", "--model", model}), 2, "SEED");
  expect_refusal(run_tool({"kv", "heads", table, "--kv-sparsity", "1.5"}), 2, "1.5");
  expect_refusal(run_tool({"kv", "heads", table, "--kv-heads-threshold", "nan"}), 2, "nan");
  expect_refusal(
      run_tool({"kv", "heads", table, "--kv-sparsity", "0", "--kv-heads-threshold", "0"}), 2,
      "--kv-");
  expect_refusal(run_tool({"kv", "heads", table, "--json", "--svg", "x.svg"}), 2, "--json");
  expect_refusal(run_tool({"kv", "heads", table, "--svg", ""}), 2, "--svg is empty");
  expect_refusal(run_tool({"kv", "heads", table, "--svg", table}), 2,
                 "is the table of heads that is read");
  expect_refusal(run_tool({"kv", "heads", folder / "absent.tsv"}), 1, "absent.tsv");
  write_file_atomic(table, "0.9\t0.1\n0.2\t0.3\n");
  expect_refusal(run_tool({"kv", "heads", table, "--model", model}), 1, "2 layers of 2 KV heads");
  write_file_atomic(table, "0.9\tx\n");
  expect_refusal(run_tool({"kv", "heads", table}), 1, "line 1, column 2");
}

}  // namespace
}  // namespace laconic::test
