// SPDX-License-Identifier: Apache-2.0
// `laconic bench`: which tests run, what the report says, and that its numbers agree.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "test_paths.h"
#include "tool.h"

namespace laconic::test {
namespace {

using ::testing::HasSubstr;

Outcome bench(const std::string& model, const std::vector<std::string>& more) {
  std::vector<std::string> all = {"bench", "-m", model, "-p", "70", "-n",  "40",
                                  "-r",    "2",  "-t",  "1",  "-d", "0,32"};
  all.insert(all.end(), more.begin(), more.end());
  return run_tool(all);
}

TEST(Bench, JsonHasTheFieldsOfLlamaBench) {
  TemporaryFolder folder;
  const std::string model = folder / "tiny";
  make_tiny(model);
  const Outcome outcome = bench(model, {"-b", "1,2", "-o", "json", "--ubatch-size", "32"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const Json rows = outcome.json();
  ASSERT_EQ(rows.size(), 2u * 3);
  for (const Json& row : rows) {
    for (const char* key :
         {"build_commit",   "build_number", "cpu_info",   "gpu_info",       "backends",
          "model_filename", "model_type",   "model_size", "model_n_params", "n_batch",
          "n_ubatch",       "n_threads",    "type_k",     "type_v",         "n_prompt",
          "n_gen",          "n_depth",      "test_time",  "avg_ns",         "stddev_ns",
          "avg_ts",         "stddev_ts",    "samples_ns", "samples_ts"}) {
      EXPECT_TRUE(row.contains(key)) << key;
    }
    EXPECT_EQ(row["samples_ns"].size(), 2u);
    const double tokens =
        row["batch"].get<double>() * (row["n_prompt"].get<double>() + row["n_gen"].get<double>());
    EXPECT_NEAR(row["samples_ts"][0].get<double>(),
                tokens / row["samples_ns"][0].get<double>() * 1e9, 1e-3 * tokens * 1e5);
  }
  const Json& deep = rows.back();
  EXPECT_EQ(deep["batch"], 2);
  EXPECT_EQ(deep["n_depth"], 32);
  EXPECT_EQ(deep["kv_peak_bytes"], 2 * (32 + 40) * 3 * 2 * 2 * 32 * 2);
  EXPECT_GT(deep["bytes_per_second"].get<double>(), 0);
  EXPECT_TRUE(rows.front()["bytes_per_second"].is_null());
}

TEST(Bench, CompressionShowsInTheMemoryColumn) {
  TemporaryFolder folder;
  const std::string model = folder / "tiny.gguf";
  make_tiny(model, "q8_0");
  const Outcome outcome =
      bench(model, {"-p", "0", "-b", "1", "-o", "json", "--real-depth", "--kv-policy", "rpc",
                    "--kv-interval", "8", "--kv-window", "4", "--kv-ratio", "4"});
  // -p was given twice: that is refused, not silently resolved.
  expect_refusal(outcome, 2, "more than once");
  const Outcome once = run_tool({"bench",
                                 "-m",
                                 model,
                                 "-p",
                                 "0",
                                 "-n",
                                 "40",
                                 "-r",
                                 "2",
                                 "-t",
                                 "1",
                                 "-d",
                                 "32",
                                 "-b",
                                 "1",
                                 "-o",
                                 "json",
                                 "--real-depth",
                                 "--kv-policy",
                                 "rpc",
                                 "--kv-interval",
                                 "8",
                                 "--kv-window",
                                 "4",
                                 "--kv-ratio",
                                 "4"});
  ASSERT_EQ(once.code, 0) << once.err;
  const Json rows = once.json();
  ASSERT_EQ(rows.size(), 1u);
  // Triggers after 12, 20, 28 and 36 tokens; the last begins at 32 + 6 + 4 + 8 rows.
  EXPECT_EQ(rows[0]["kv_peak_bytes"], (32 + 6 + 4 + 8) * 3 * 2 * 2 * 32 * 2);
  EXPECT_EQ(rows[0]["kv_options"]["interval"], 8);
}

// A whole answer, and one of which the model runs a few places only: the rows that steps read
// follow from the schedule alone.
TEST(Bench, WholeAnswersFollowTheSchedule) {
  TemporaryFolder folder;
  const std::string model = folder / "tiny.gguf";
  make_tiny(model, "q8_0");
  const auto answer = [&](const std::vector<std::string>& more) {
    std::vector<std::string> all = {"bench", "-m", model, "--generation", "200", "-p", "16", "-b",
                                    "2",     "-t", "1",   "-o",           "json"};
    all.insert(all.end(), more.begin(), more.end());
    return run_tool(all);
  };
  constexpr std::size_t kRow = 3 * 2 * 2 * 32 * 2;  // bytes of a token's rows in all heads
  for (const char* policy : {"rpc", "h2o", "random"}) {
    const std::vector<std::string> flags = {"--kv-policy", policy, "--kv-interval", "32",
                                            "--kv-window", "8",    "--kv-ratio",    "4"};
    std::vector<std::string> sampled = flags;
    sampled.insert(sampled.end(), {"--points", "4"});
    const Outcome whole = answer(flags), part = answer(sampled);
    ASSERT_EQ(whole.code, 0) << policy << ": " << whole.err;
    ASSERT_EQ(part.code, 0) << policy << ": " << part.err;
    const Json all = whole.json()[0], few = part.json()[0];
    EXPECT_EQ(all["stops"].size(), 0u);
    EXPECT_EQ(few["stops"].size(), 4u);
    ASSERT_EQ(all["marks"].size(), 1u);
    const Json &a = all["marks"][0], &b = few["marks"][0];
    EXPECT_EQ(a["n_gen"], 200);
    EXPECT_EQ(a["kv_mean_bytes"], b["kv_mean_bytes"]) << policy;
    EXPECT_EQ(a["kv_peak_bytes"], b["kv_peak_bytes"]) << policy;
    // Triggers after 40, 72, 104, 136, 168 and 200 tokens; the last begins at 16 + 40 + 8 + 32.
    EXPECT_EQ(a["kv_peak_bytes"], 2 * (16 + 40 + 8 + 32) * kRow) << policy;
    EXPECT_GT(b["compression_seconds"].get<double>(), 0) << policy;
    EXPECT_GT(b["avg_ts"].get<double>(), 0);
  }
  const Outcome heads = answer({"--points", "2", "--kv-heads", "random:1", "--kv-sparsity", "0.5"});
  ASSERT_EQ(heads.code, 0) << heads.err;
  EXPECT_EQ(heads.json()[0]["marks"][0]["kv_peak_bytes"], 2 * (216 + 80) / 2 * kRow);
  expect_refusal(answer({"-n", "4"}), 2, "-n has no effect");
  expect_refusal(answer({"--points", "1"}), 2, "--points");
  expect_refusal(run_tool({"bench", "-m", model, "--points", "4"}), 2, "--generation");
  expect_refusal(run_tool({"bench", "-m", model, "--generation", "5000"}), 2,
                 "--generation 5000 behind a prompt of");
}

TEST(Bench, TablesAndLimits) {
  TemporaryFolder folder;
  const std::string model = folder / "tiny";
  make_tiny(model);
  const Outcome table = bench(model, {"-b", "1"});
  ASSERT_EQ(table.code, 0) << table.err;
  EXPECT_THAT(table.out, HasSubstr("| kv_policy | KV MiB | t/s | GB/s |"));
  EXPECT_THAT(table.out, HasSubstr("| pp70 |"));
  EXPECT_THAT(table.out, HasSubstr("| tg40 @ d32 |"));
  const Outcome csv = bench(model, {"-b", "1", "-o", "csv", "--kv-policy", "random"});
  EXPECT_THAT(csv.out, HasSubstr(",random,"));
  EXPECT_EQ(std::count(csv.out.begin(), csv.out.end(), '\n'), 1 + 3);
  expect_refusal(run_tool({"bench", "-m", model, "-d", "5000"}), 2, "4096");
}

}  // namespace
}  // namespace laconic::test
