// SPDX-License-Identifier: Apache-2.0
// Every function of the trainer against its twin of plain libtorch operations: values and
// gradients.
#include "train/functions.h"

#include <gtest/gtest.h>

#include <functional>

#include "train/decoder_testing.h"
#include "train/reference.h"
#include "train/rope_table.h"

namespace laconic::train::test {
namespace {

using Function = std::function<std::vector<Tensor>(const std::vector<Tensor>& inputs)>;

Tensor random(at::IntArrayRef sizes, std::uint64_t seed, at::ScalarType type = at::kFloat) {
  return at::randn(sizes, at::detail::createCPUGenerator(seed), at::kFloat)
      .to(type)
      .requires_grad_(true);
}

struct Outcome {
  std::vector<Tensor> values, gradients;
};

// The outputs are weighed with fixed random numbers, so that every element of every gradient
// counts.
Outcome run(const Function& function, const std::vector<Tensor>& inputs) {
  Outcome outcome;
  outcome.values = function(inputs);
  Tensor sum = at::zeros({}, at::kFloat);
  std::uint64_t seed = 100;
  for (const Tensor& value : outcome.values) {
    const Tensor weights =
        at::randn(value.sizes(), at::detail::createCPUGenerator(seed++), at::kFloat);
    sum = sum + (value.to(at::kFloat) * weights).sum();
  }
  outcome.gradients = torch::autograd::grad({sum}, inputs);
  return outcome;
}

// Differences are counted in units of the largest value of each tensor.
void expect_near(const std::vector<Tensor>& got, const std::vector<Tensor>& expected,
                 double tolerance, const char* what) {
  ASSERT_EQ(got.size(), expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    EXPECT_EQ(got[i].sizes(), expected[i].sizes());
    EXPECT_EQ(got[i].scalar_type(), expected[i].scalar_type());
    const double scale = expected[i].abs().max().item<double>();
    EXPECT_GT(scale, 0.0) << what << " " << i;
    EXPECT_LE(largest_difference(got[i], expected[i]), tolerance * scale) << what << " " << i;
  }
}

void expect_twins(const Function& ours, const Function& twin, const std::vector<Tensor>& inputs,
                  double tolerance) {
  const Outcome got = run(ours, inputs), expected = run(twin, inputs);
  expect_near(got.values, expected.values, tolerance, "value");
  expect_near(got.gradients, expected.gradients, tolerance, "gradient");
}

// bf16 has 8 bits: one rounding is 2^-9, and the twin rounds at other places than the kernel.
double tolerance_of(at::ScalarType type) { return type == at::kFloat ? 2e-6 : 1.0 / 64; }

class Functions : public ::testing::TestWithParam<at::ScalarType> {};

TEST_P(Functions, Project) {
  expect_twins([](const auto& in) { return std::vector{project(in[0], in[1])}; },
               [](const auto& in) { return std::vector{reference::project(in[0], in[1])}; },
               {random({37, 24}, 1, GetParam()), random({19, 24}, 2)}, tolerance_of(GetParam()));
}

TEST_P(Functions, RmsNorm) {
  const at::ScalarType type = GetParam();
  expect_twins(
      [&](const auto& in) { return std::vector{rms_norm(in[0], in[1], 1e-5, type)}; },
      [&](const auto& in) { return std::vector{reference::rms_norm(in[0], in[1], 1e-5, type)}; },
      {random({45, 40}, 1), random({40}, 2)}, tolerance_of(type));
}

TEST_P(Functions, SwiGlu) {
  expect_twins([](const auto& in) { return std::vector{swiglu(in[0])}; },
               [](const auto& in) { return std::vector{reference::swiglu(in[0])}; },
               {random({45, 2 * 27}, 1, GetParam())}, tolerance_of(GetParam()));
}

TEST_P(Functions, SplitHeads) {
  const HeadShape shape{6, 2, 16, 1e-5};
  const RopeRows rope = rope_rows(at::arange(33, at::kLong) * 3, 16, 10000.0);
  for (const bool normed : {false, true}) {
    const auto with = [&](auto function) {
      return [&, function](const std::vector<Tensor>& in) {
        const Tensor q_norm = normed ? in[1] : Tensor(), k_norm = normed ? in[2] : Tensor();
        const QueryKeyValue parts = function(shape, in[0], q_norm, k_norm, rope.cosine, rope.sine);
        return std::vector{parts.q, parts.k, parts.v};
      };
    };
    std::vector<Tensor> inputs{random({33, 10 * 16}, 1, GetParam())};
    if (normed) inputs.insert(inputs.end(), {random({16}, 2), random({16}, 3)});
    expect_twins(with(split_heads), with(reference::split_heads), inputs, tolerance_of(GetParam()));
  }
}

TEST_P(Functions, Attention) {
  const HeadShape shape{6, 2, 16, 1e-5};
  const std::vector<std::int64_t> starts{0, 1, 70, 71, 200};
  const auto with = [&](auto function) {
    return [&, function](const std::vector<Tensor>& in) {
      return std::vector{function(shape, starts, QueryKeyValue{in[0], in[1], in[2]})};
    };
  };
  expect_twins(with(attention), with(reference::attention),
               {random({200, 6, 16}, 1, GetParam()), random({200, 2, 16}, 2, GetParam()),
                random({200, 2, 16}, 3, GetParam())},
               2 * tolerance_of(GetParam()));
}

// More rows than one chunk holds, some of them not to be learned.
TEST_P(Functions, LinearCrossEntropy) {
  Tensor targets = at::randint(0, 50, {2500}, at::detail::createCPUGenerator(4), at::kLong);
  targets.slice(0, 1990, 2010).fill_(-1);
  const auto with = [&](auto function) {
    return [&, function](const std::vector<Tensor>& in) {
      return std::vector{function(in[0], in[1], targets)};
    };
  };
  expect_twins(with(linear_cross_entropy), with(reference::linear_cross_entropy),
               {random({2500, 24}, 1, GetParam()), random({50, 24}, 2)}, tolerance_of(GetParam()));
}

INSTANTIATE_TEST_SUITE_P(Types, Functions, ::testing::Values(at::kFloat, at::kBFloat16),
                         [](const auto& type) { return std::string(at::toString(type.param)); });

TEST(RopeRows, TurnsByPositionTimesFrequency) {
  const RopeRows rope = rope_rows(torch::tensor({0, 1, 1000, 1}, at::kLong), 8, 10000.0);
  EXPECT_EQ(rope.cosine.sizes(), (std::vector<std::int64_t>{4, 4}));
  for (int pair = 0; pair < 4; ++pair) {
    const double angle = 1000.0 * std::pow(10000.0, -2.0 * pair / 8.0);
    EXPECT_NEAR(rope.cosine[2][pair].item<double>(), std::cos(angle), 1e-6);
    EXPECT_NEAR(rope.sine[2][pair].item<double>(), std::sin(angle), 1e-6);
    EXPECT_EQ(rope.cosine[0][pair].item<double>(), 1.0);
  }
  EXPECT_TRUE(at::equal(rope.sine[1], rope.sine[3]));
}

}  // namespace
}  // namespace laconic::train::test
