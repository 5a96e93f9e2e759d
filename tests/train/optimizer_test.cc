// SPDX-License-Identifier: Apache-2.0
#include "train/optimizer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "train/newton_schulz.h"

namespace laconic::train {
namespace {

OptimizerRecipe adamw() {
  OptimizerRecipe recipe;
  recipe.kind = OptimizerKind::kAdamW;
  recipe.learning_rate = 0.01;
  recipe.clip = 0;
  return recipe;
}

OptimizerRecipe muon() {
  OptimizerRecipe recipe;
  recipe.kind = OptimizerKind::kMuon;
  recipe.learning_rate = recipe.adamw_learning_rate = 0.01;
  recipe.weight_decay = 0;
  recipe.clip = 0;
  return recipe;
}

Tensor leaf(at::IntArrayRef shape, std::uint64_t seed) {
  return torch::randn(shape, at::detail::createCPUGenerator(seed), torch::kF32).requires_grad_();
}

void set_gradient(const Tensor& parameter, const Tensor& gradient) {
  Tensor target = parameter;
  target.mutable_grad() = gradient.clone();
}

double root_mean_square(const Tensor& values) {
  return values.square().mean().sqrt().item<double>();
}

// A product of random reflections: orthogonal by construction.
Tensor orthogonal(std::int64_t n, std::uint64_t seed) {
  Tensor q = torch::eye(n, torch::kF64);
  at::Generator generator = at::detail::createCPUGenerator(seed);
  for (int i = 0; i < 4; ++i) {
    Tensor v = torch::randn({n, 1}, generator, torch::kF64);
    v = v / v.norm();
    q = q - 2.0 * torch::mm(v, torch::mm(v.t(), q));
  }
  return q;
}

TEST(AdamW, FollowsThePaperStepByStep) {
  const Tensor parameter = leaf({2, 2}, 1);
  const OptimizerRecipe recipe = adamw();
  Optimizer optimizer(recipe, {{"layer.weight", parameter}});
  std::array<double, 4> weight{}, mean{}, square{};
  for (std::size_t i = 0; i < 4; ++i) {
    weight[i] = parameter.detach().flatten()[static_cast<std::int64_t>(i)].item<double>();
  }
  for (int step = 1; step <= 5; ++step) {
    const Tensor gradient = torch::randn({2, 2}, at::detail::createCPUGenerator(10u + step));
    set_gradient(parameter, gradient);
    optimizer.step(0.5);
    for (std::size_t i = 0; i < 4; ++i) {
      const double g = gradient.flatten()[static_cast<std::int64_t>(i)].item<double>();
      mean[i] = recipe.beta1 * mean[i] + (1 - recipe.beta1) * g;
      square[i] = recipe.beta2 * square[i] + (1 - recipe.beta2) * g * g;
      const double m = mean[i] / (1 - std::pow(recipe.beta1, step));
      const double v = square[i] / (1 - std::pow(recipe.beta2, step));
      weight[i] -= 0.005 * recipe.weight_decay * weight[i];
      weight[i] -= 0.005 * m / (std::sqrt(v) + 1e-8);
      EXPECT_NEAR(parameter.detach().flatten()[static_cast<std::int64_t>(i)].item<double>(),
                  weight[i], 1e-6);
    }
  }
}

TEST(AdamW, WeightDecaySparesVectors) {
  const Tensor norm = leaf({8}, 2);
  const Tensor before = norm.detach().clone();
  Optimizer optimizer(adamw(), {{"norm.weight", norm}});
  set_gradient(norm, torch::zeros({8}));
  optimizer.step(1.0);
  EXPECT_TRUE(torch::equal(norm.detach(), before));
}

TEST(NewtonSchulz, GivesTheOrthogonalFactorOfWideAndTallMatrices) {
  for (const auto& [rows, columns] : {std::pair<std::int64_t, std::int64_t>{12, 20}, {20, 12}}) {
    const std::int64_t rank = std::min(rows, columns);
    const Tensor u = orthogonal(rows, 3), v = orthogonal(columns, 4);
    const Tensor left = u.narrow(1, 0, rank), right = v.narrow(1, 0, rank);
    const Tensor values = torch::linspace(0.1, 1.0, rank, torch::kF64);
    const Tensor matrix = torch::mm(left * values, right.t());
    const Tensor result = orthogonalized(matrix.to(torch::kF32).unsqueeze(0)).squeeze(0);
    ASSERT_EQ(result.sizes(), matrix.sizes());
    const Tensor core = torch::mm(torch::mm(left.t(), result.to(torch::kF64)), right);
    const Tensor diagonal = core.diagonal();
    EXPECT_GT(diagonal.min().item<double>(), 0.6);
    EXPECT_LT(diagonal.max().item<double>(), 1.3);
    EXPECT_LT((core - torch::diag(diagonal)).abs().max().item<double>(), 0.15);
  }
}

TEST(NewtonSchulz, ABatchEqualsItsMatricesAlone) {
  const Tensor matrices = torch::randn({3, 16, 24}, at::detail::createCPUGenerator(5));
  const Tensor together = orthogonalized(matrices);
  for (std::int64_t i = 0; i < 3; ++i) {
    const Tensor alone = orthogonalized(matrices.narrow(0, i, 1));
    // Small singular values grow a hundredfold, and the roundings of bf16 with them.
    EXPECT_LT((together[i] - alone[0]).norm().item<double>(),
              0.15 * alone[0].norm().item<double>());
  }
}

TEST(NewtonSchulz, ZeroStaysZero) {
  EXPECT_TRUE(torch::equal(orthogonalized(torch::zeros({1, 4, 4})), torch::zeros({1, 4, 4})));
}

TEST(Muon, UpdatesHiddenMatricesAsStronglyAsAdamWWould) {
  const Tensor matrix = leaf({32, 64}, 6);
  const Tensor before = matrix.detach().clone();
  Optimizer optimizer(muon(), {{"model.layers.0.mlp.up_proj.weight", matrix}});
  set_gradient(matrix, torch::randn({32, 64}, at::detail::createCPUGenerator(7)) * 1e-3);
  optimizer.step(1.0);
  EXPECT_NEAR(root_mean_square(matrix.detach() - before), 0.01 * 0.2, 0.01 * 0.2 * 0.25);
}

TEST(Muon, LooksAheadAlongItsMomentum) {
  const Tensor matrix = leaf({8, 8}, 8);
  Optimizer optimizer(muon(), {{"model.layers.0.mlp.up_proj.weight", matrix}});
  Tensor momentum = torch::zeros({8, 8});
  for (std::uint64_t step = 0; step < 3; ++step) {
    const Tensor before = matrix.detach().clone();
    const Tensor gradient = torch::randn({8, 8}, at::detail::createCPUGenerator(20 + step));
    set_gradient(matrix, gradient);
    optimizer.step(1.0);
    momentum = 0.95 * momentum + 0.05 * gradient;
    const Tensor ahead = 0.05 * gradient + 0.95 * momentum;
    const Tensor update = orthogonalized(ahead.unsqueeze(0))[0] * (0.2 * std::sqrt(8.0) * 0.01);
    EXPECT_LT((before - update - matrix.detach()).abs().max().item<double>(), 2e-4);
  }
}

TEST(Muon, LeavesEmbeddingHeadNormsAndBiasesToAdamW) {
  const NamedTensors parameters = {{"model.embed_tokens.weight", leaf({10, 8}, 1)},
                                   {"lm_head.weight", leaf({10, 8}, 2)},
                                   {"model.norm.weight", leaf({8}, 3)},
                                   {"model.layers.0.self_attn.q_proj.bias", leaf({8}, 4)},
                                   {"model.layers.0.self_attn.q_proj.weight", leaf({8, 8}, 5)},
                                   {"model.layers.1.self_attn.q_proj.weight", leaf({8, 8}, 6)}};
  std::vector<std::string> names;
  for (const auto& [name, tensor] : Optimizer(muon(), parameters).state()) {
    if (name.starts_with("muon.")) names.push_back(name);
  }
  EXPECT_EQ(names,
            (std::vector<std::string>{"muon.momentum.model.layers.0.self_attn.q_proj.weight",
                                      "muon.momentum.model.layers.1.self_attn.q_proj.weight"}));
}

TEST(Optimizer, ClipsTheGlobalNormAndReportsItUnclipped) {
  OptimizerRecipe recipe = adamw();
  recipe.clip = 1.0;
  const Tensor first = leaf({3}, 1), second = leaf({4}, 2);
  Optimizer optimizer(recipe, {{"a", first}, {"b", second}});
  set_gradient(first, torch::full({3}, 4.0));
  set_gradient(second, torch::full({4}, 2.0));
  EXPECT_NEAR(optimizer.step(1.0), 8.0, 1e-5);
  const NamedTensors state = optimizer.state();
  ASSERT_EQ(state[0].first, "adamw.mean.a");
  EXPECT_NEAR(state[0].second[0].item<double>(), 0.1 * 4.0 / 8.0, 1e-6);
}

TEST(Optimizer, GivesGradientsBackAsZero) {
  const NamedTensors parameters = {{"x.weight", leaf({8, 8}, 1)}, {"y", leaf({8}, 2)}};
  Optimizer optimizer(muon(), parameters);
  for (const auto& [name, tensor] : parameters) set_gradient(tensor, torch::ones_like(tensor));
  optimizer.step(1.0);
  for (const auto& [name, tensor] : parameters) {
    EXPECT_EQ(tensor.grad().abs().max().item<double>(), 0.0) << name;
  }
}

TEST(Optimizer, AGradientThatIsNotFiniteChangesNothing) {
  const Tensor matrix = leaf({8, 8}, 1), vector = leaf({8}, 2);
  Optimizer optimizer(muon(), {{"x.weight", matrix}, {"y", vector}});
  const Tensor before = matrix.detach().clone();
  for (const double poison : {std::numeric_limits<double>::infinity(), std::nan("")}) {
    set_gradient(matrix, torch::ones({8, 8}));
    set_gradient(vector, torch::full({8}, poison));
    EXPECT_FALSE(std::isfinite(optimizer.step(1.0)));
    EXPECT_TRUE(torch::equal(matrix.detach(), before));
    EXPECT_EQ(optimizer.steps(), 0u);
    EXPECT_EQ(vector.grad().abs().max().item<double>(), 0.0) << "the poison must not stay";
  }
}

TEST(Optimizer, ARestoredStateGivesTheSameBits) {
  for (const OptimizerRecipe& recipe : {muon(), adamw()}) {
    const NamedTensors parameters = {{"x.weight", leaf({8, 12}, 1)}, {"y", leaf({8}, 2)}};
    Optimizer first(recipe, parameters);
    for (const auto& [name, tensor] : parameters) set_gradient(tensor, torch::ones_like(tensor));
    first.step(1.0);

    NamedTensors copies;
    for (const auto& [name, tensor] : parameters) {
      copies.emplace_back(name, tensor.detach().clone().requires_grad_());
    }
    Optimizer second(recipe, copies);
    second.set_steps(first.steps());
    const NamedTensors from = first.state(), to = second.state();
    for (std::size_t i = 0; i < from.size(); ++i) Tensor(to[i].second).copy_(from[i].second);

    for (std::size_t i = 0; i < parameters.size(); ++i) {
      const Tensor gradient =
          torch::randn(copies[i].second.sizes(), at::detail::createCPUGenerator(30 + i));
      set_gradient(parameters[i].second, gradient);
      set_gradient(copies[i].second, gradient);
    }
    first.step(0.7);
    second.step(0.7);
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      EXPECT_TRUE(torch::equal(parameters[i].second, copies[i].second)) << copies[i].first;
    }
  }
}

}  // namespace
}  // namespace laconic::train
