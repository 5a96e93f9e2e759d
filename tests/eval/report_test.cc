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

TEST(Report, RepetitionIsCountedPerAnswer) {
  auto arms = two_arms();
  std::vector<std::int32_t>& circle = arms[1].samples[0].ids;
  circle.assign(127 + 1, 5);  // 65 runs of 64, all alike
  auto& few = arms[1].samples[1].ids;
  few.resize(400);
  for (std::size_t i = 0; i < few.size(); ++i) few[i] = static_cast<std::int32_t>(i % 30);
  const auto reports = report_arms(arms, 1);
  EXPECT_EQ(reports[0].repeating, 0u);
  EXPECT_EQ(reports[0].few_distinct, 0u);
  EXPECT_EQ(reports[1].repeating, 2u);
  EXPECT_NEAR(reports[1].repeated_share, (64.0 / 65 + 307.0 / 337) / 10, 1e-12);
  EXPECT_EQ(reports[1].few_distinct, 1u);
}

TEST(Report, LengthsAreComparedOverTheSameProblems) {
  const auto reports = report_arms(two_arms(), 1);
  EXPECT_FALSE(reports[0].inflation_both);
  EXPECT_FALSE(reports[0].inflation_first);
  const Inflation &both = *reports[1].inflation_both, &first = *reports[1].inflation_first;
  EXPECT_EQ(both.problems, 6u);  // tokens 10 to 15 against 20 each
  EXPECT_DOUBLE_EQ(both.tokens.value, 120.0 / 75);
  EXPECT_EQ(first.problems, 8u);  // 10 to 17
  EXPECT_DOUBLE_EQ(first.tokens.value, 160.0 / 108);
  EXPECT_LT(20.0 / 17, first.tokens.interval.low);
  EXPECT_LT(first.tokens.interval.low, first.tokens.value);
  EXPECT_GT(20.0 / 10, first.tokens.interval.high);

  auto unsolved = two_arms();
  for (Sample& sample : unsolved[1].samples) sample.correct = false;
  EXPECT_FALSE(report_arms(unsolved, 1)[1].inflation_both);
  EXPECT_TRUE(report_arms(unsolved, 1)[1].inflation_first);
}

TEST(Report, RowsComeFromBytes) {
  const ModelInfo& info = tiny_model().info();  // 3 layers, 2 KV heads, head_dim 32
  EXPECT_EQ(bytes_of_rows(info, KvType::kF16), 3u * 2 * 2 * 32 * 2);
  EXPECT_EQ(bytes_of_rows(info, KvType::kF32), 3u * 2 * 2 * 32 * 4);
  EXPECT_FALSE(report_arms(two_arms(), 1)[0].rows);
  const std::vector<std::size_t> bytes = {512, 256};
  const auto reports = report_arms(two_arms(), 1, bytes);
  EXPECT_DOUBLE_EQ(reports[0].rows->peak, 29);
  EXPECT_DOUBLE_EQ(reports[0].rows->mean, 14.5);
  EXPECT_DOUBLE_EQ(reports[1].rows->peak, 80);
}

TEST(Report, MeasuresTable) {
  const std::vector<std::size_t> bytes = {512, 256};
  const std::string table = measures_table(report_arms(two_arms(), 1, bytes));
  for (const char* part : {"| arm          |   repeated 64-grams |        few distinct |",
                           " length, both solve |", "| peak rows | mean rows |\n",
                           "| full         | 0.0 % (0.0 to 27.8) | 0.0 % (0.0 to 27.8) |",
                           "|      29.0 |      14.5 |\n", " 1.60 (", "; 6) |", " 1.48 (", "; 8) |",
                           "|      80.0 |      40.0 |\n"}) {
    EXPECT_THAT(table, ::testing::HasSubstr(part));
  }
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
  EXPECT_EQ(rpc["repeated_64grams"]["answers"], 0);
  EXPECT_EQ(rpc["few_distinct"], 0);
  EXPECT_EQ(rpc["inflation_both"]["problems"], 6);
  EXPECT_EQ(rpc["inflation_both"]["ratio"], 1.6);
  EXPECT_EQ(rpc["inflation_first"]["interval"].size(), 2u);
  EXPECT_TRUE(full["inflation_both"].is_null());
  EXPECT_TRUE(full["kv_peak_rows"].is_null());
  EXPECT_EQ(report_json(
                report_arms(two_arms(), 1, std::vector<std::size_t>{512, 512})[0])["kv_mean_rows"],
            14.5);
  for (const char* name : {"mean_tokens", "kv_peak_bytes", "kv_mean_bytes", "decoded", "seconds",
                           "loops", "truncated"}) {
    EXPECT_TRUE(rpc[name].is_number()) << name;
  }
}

}  // namespace
}  // namespace laconic::test
