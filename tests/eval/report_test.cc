// SPDX-License-Identifier: Apache-2.0
#include "eval/report.h"

#include <gtest/gtest.h>

#include "eval/eval_testing.h"

namespace laconic::test {
namespace {

Sample sample_of(bool correct, std::size_t tokens, const char* reason, const char* family) {
  Sample sample;
  sample.correct = correct;
  sample.ids.resize(tokens);
  sample.finish_reason = reason;
  sample.family = family;
  sample.kv_peak_bytes = tokens * 1024;
  sample.kv_mean_bytes = static_cast<double>(tokens) * 512;
  return sample;
}

// Ten problems: full solves eight, rpc six of these and one more.
std::vector<EvaluatedArm> two_arms() {
  std::vector<EvaluatedArm> arms(2);
  arms[0].name = "full";
  arms[1].name = "rpc:window=8";
  for (std::size_t i = 0; i < 10; ++i) {
    const char* family = i % 2 == 0 ? "a" : "b";
    arms[0].samples.push_back(sample_of(i < 8, 10 + i, i == 9 ? "kv_full" : "stop", family));
    arms[1].samples.push_back(sample_of(i < 6 || i == 8, 20,
                                        i == 7   ? "loop"
                                        : i == 9 ? "length"
                                                 : "stop",
                                        family));
  }
  arms[0].totals = {145, 0.5};
  arms[0].decoded = 10;
  return arms;
}

TEST(Report, CountsWhatEachArmDid) {
  const auto reports = report_arms(two_arms(), 1);
  ASSERT_EQ(reports.size(), 2u);
  const ArmReport &full = reports[0], &rpc = reports[1];
  EXPECT_DOUBLE_EQ(full.share.accuracy(), 0.8);
  EXPECT_DOUBLE_EQ(rpc.share.accuracy(), 0.7);
  EXPECT_FALSE(full.difference);
  EXPECT_DOUBLE_EQ(rpc.difference->mean, -0.1);
  EXPECT_DOUBLE_EQ(full.mean_tokens, 14.5);
  EXPECT_DOUBLE_EQ(full.kv_peak_bytes, 14.5 * 1024);
  EXPECT_DOUBLE_EQ(full.kv_mean_bytes, 14.5 * 512);
  EXPECT_DOUBLE_EQ(*full.tokens_per_second, 290);
  EXPECT_FALSE(rpc.tokens_per_second);  // all of its answers were there before
  EXPECT_EQ(full.loops, 0u);
  EXPECT_EQ(full.truncated, 1u);
  EXPECT_EQ(rpc.loops, 1u);
  EXPECT_EQ(rpc.truncated, 1u);
  EXPECT_EQ(full.families.at("a").correct, 4u);
  EXPECT_EQ(full.families.at("b").problems, 5u);
  EXPECT_EQ(rpc.families.at("a").correct, 4u);
  EXPECT_EQ(rpc.families.at("b").correct, 3u);
}

TEST(Report, TableLinesUp) {
  const auto reports = report_arms(two_arms(), 1);
  EXPECT_EQ(report_table(reports),
            "| arm          | accuracy | 95 % interval |             difference | tokens "
            "| KV peak KiB | KV mean KiB | tokens/s | loops | truncated |\n"
            "|--------------|---------:|--------------:|-----------------------:|-------:"
            "|------------:|------------:|---------:|------:|----------:|\n"
            "| full         |   80.0 % |  49.0 to 94.3 |                        |   14.5 "
            "|        14.5 |         7.2 |      290 |     0 |         1 |\n"
            "| rpc:window=8 |   70.0 % |  39.7 to 89.2 | -10.0 (-40.0 to +20.0) |   20.0 "
            "|        20.0 |        10.0 |        - |     1 |         1 |\n");
  EXPECT_EQ(family_table(reports),
            "| arm          |                 a (5) |                 b (5) |\n"
            "|--------------|----------------------:|----------------------:|\n"
            "| full         | 80.0 % (37.6 to 96.4) | 80.0 % (37.6 to 96.4) |\n"
            "| rpc:window=8 | 80.0 % (37.6 to 96.4) | 60.0 % (23.1 to 88.2) |\n");
}

TEST(Report, LargeCachesAreInMebibytes) {
  auto arms = two_arms();
  for (Sample& sample : arms[1].samples) sample.kv_peak_bytes = std::size_t{30} << 20;
  EXPECT_THAT(report_table(report_arms(arms, 1)),
              ::testing::AllOf(::testing::HasSubstr("KV peak MiB"),
                               ::testing::HasSubstr("|        30.0 |")));
}

TEST(Report, Json) {
  const auto reports = report_arms(two_arms(), 1);
  const Json full = report_json(reports[0]), rpc = report_json(reports[1]);
  EXPECT_EQ(full["name"], "full");
  EXPECT_EQ(full["accuracy"], 0.8);
  EXPECT_EQ(full["problems"], 10);
  EXPECT_EQ(full["correct"], 8);
  EXPECT_NEAR(full["wilson"][0].get<double>(), 0.4902, 1e-4);
  EXPECT_NEAR(full["wilson"][1].get<double>(), 0.9433, 1e-4);
  EXPECT_TRUE(full["difference"].is_null());
  EXPECT_EQ(full["tokens_per_second"], 290);
  EXPECT_EQ(full["families"]["a"]["accuracy"], 0.8);
  EXPECT_NEAR(rpc["difference"]["mean"].get<double>(), -0.1, 1e-12);
  EXPECT_NEAR(rpc["difference"]["interval"][0].get<double>(), -0.4, 1e-12);
  EXPECT_NEAR(rpc["difference"]["interval"][1].get<double>(), 0.2, 1e-12);
  EXPECT_TRUE(rpc["tokens_per_second"].is_null());
  for (const char* name : {"mean_tokens", "kv_peak_bytes", "kv_mean_bytes", "decoded", "seconds",
                           "loops", "truncated"}) {
    EXPECT_TRUE(rpc[name].is_number()) << name;
  }
}

}  // namespace
}  // namespace laconic::test
