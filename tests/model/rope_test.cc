// SPDX-License-Identifier: Apache-2.0
// Expected values were computed apart from this code, in double, from the published formulas.
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <vector>

#include "model/config.h"
#include "model/convert.h"

namespace laconic {
namespace {

using Scaling = RopeConfig::Scaling;

void expect_close(const std::vector<double>& got, const std::vector<double>& expected) {
  ASSERT_EQ(got.size(), expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    EXPECT_NEAR(got[i] / expected[i], 1.0, 1e-12) << "at " << i;
  }
}

void expect_at(const std::vector<double>& got, const std::map<std::size_t, double>& expected) {
  for (const auto& [i, value] : expected) EXPECT_NEAR(got.at(i) / value, 1.0, 1e-12) << "at " << i;
}

TEST(Rope, PlainFrequenciesAreAGeometricSeries) {
  RopeConfig rope;
  rope.theta = 10000;
  expect_close(rope_table(rope, 8).inverse_frequency, {1.0, 0.1, 0.01, 0.001});
  EXPECT_EQ(rope_table(rope, 8).magnitude, 1.0);
}

TEST(Rope, LinearDividesAll) {
  RopeConfig rope;
  rope.scaling = Scaling::kLinear;
  rope.factor = 4;
  expect_close(rope_table(rope, 8).inverse_frequency, {0.25, 0.025, 0.0025, 0.00025});
}

TEST(Rope, Llama3BendsTheMiddleBand) {
  RopeConfig small;
  small.theta = 5e5;
  small.scaling = Scaling::kLlama3;
  small.factor = 8;
  small.original_context = 64;
  expect_close(
      rope_table(small, 16).inverse_frequency,
      {1.0, 0.0794030091792082, 0.004700753866357992, 0.0009115830921521387, 0.00017677669529663688,
       3.428102195952591e-05, 6.647869871181235e-06, 1.2891731721515574e-06});
  expect_at(rope_table(known_model("llama-3.1-8b").rope, 128).inverse_frequency,
            {{0, 1.0},
             {20, 0.016560440080994446},
             {28, 0.003211445994752591},
             {29, 0.002166570763503359},
             {30, 0.0013718935677611381},
             {35, 9.556212353964683e-05},
             {36, 7.78465527393245e-05},
             {63, 3.068925988914511e-07}});
}

TEST(Rope, YarnRampsBetweenItsCorrectionDimensions) {
  RopeConfig rope;
  rope.scaling = Scaling::kYarn;
  rope.factor = 4;
  rope.original_context = 64;
  const RopeTable small = rope_table(rope, 16);
  expect_close(small.inverse_frequency,
               {1.0, 0.23717082451262847, 0.05, 0.007905694150420948, 0.0025, 0.0007905694150420948,
                0.00025, 7.905694150420948e-05});
  EXPECT_NEAR(small.magnitude, 1.138629436111989, 1e-14);
  rope.theta = 1e6;
  rope.original_context = 32768;
  expect_at(rope_table(rope, 128).inverse_frequency, {{0, 1.0},
                                                      {22, 0.008659643233600654},
                                                      {23, 0.006978305848598663},
                                                      {24, 0.005375321490790102},
                                                      {30, 0.001064360981247002},
                                                      {39, 6.490394320837029e-05},
                                                      {40, 4.445698525097307e-05},
                                                      {63, 3.102344401879299e-07}});
}

TEST(Rope, DivisorsActOnTopOfTheScaling) {
  RopeConfig rope;
  rope.frequency_divisors = {1.0f, 2.0f, 4.0f, 8.0f};
  expect_close(rope_table(rope, 8).inverse_frequency, {1.0, 0.05, 0.0025, 0.000125});
}

}  // namespace
}  // namespace laconic
