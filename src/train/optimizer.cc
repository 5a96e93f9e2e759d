// SPDX-License-Identifier: Apache-2.0
#include "train/optimizer.h"

#include <algorithm>
#include <cmath>

#include "train/newton_schulz.h"

namespace laconic::train {
namespace {

constexpr double kAdamEpsilon = 1e-8;
// Root mean square of a typical AdamW update.
constexpr double kUpdateScale = 0.2;

bool is_table(const std::string& name) {
  return name.find("embed_tokens") != std::string::npos || name.starts_with("lm_head");
}

}  // namespace

Optimizer::Optimizer(const OptimizerRecipe& recipe, const NamedTensors& parameters)
    : recipe_(recipe) {
  const torch::NoGradGuard no_grad;
  for (const auto& [name, parameter] : parameters) {
    const bool matrix = parameter.dim() == 2;
    if (recipe.kind == OptimizerKind::kAdamW || !matrix || is_table(name)) {
      adam_.push_back({name, parameter, torch::zeros_like(parameter), torch::zeros_like(parameter),
                       matrix ? recipe.weight_decay : 0.0});
      continue;
    }
    const auto same_shape = [&parameter = parameter](const MuonPart& part) {
      return part.parameters.front().sizes() == parameter.sizes();
    };
    auto part = std::find_if(muon_.begin(), muon_.end(), same_shape);
    if (part == muon_.end()) part = muon_.insert(muon_.end(), MuonPart{});
    part->names.push_back(name);
    part->parameters.push_back(parameter);
  }
  for (MuonPart& part : muon_) {
    const Tensor& first = part.parameters.front();
    part.momentum = torch::zeros(
        {static_cast<std::int64_t>(part.parameters.size()), first.size(0), first.size(1)},
        first.options().requires_grad(false));
  }
}

double Optimizer::step(double share) {
  const torch::NoGradGuard no_grad;
  const double norm = clip_gradients();
  if (!std::isfinite(norm)) {
    for (AdamPart& part : adam_) part.parameter.grad().zero_();
    for (MuonPart& part : muon_) {
      for (const Tensor& parameter : part.parameters) parameter.grad().zero_();
    }
    return norm;
  }
  ++steps_;
  const bool mixed = recipe_.kind == OptimizerKind::kMuon;
  const double adam_rate = share * (mixed ? recipe_.adamw_learning_rate : recipe_.learning_rate);
  for (AdamPart& part : adam_) step_adam(part, adam_rate);
  for (MuonPart& part : muon_) step_muon(part, share * recipe_.learning_rate);
  return norm;
}

double Optimizer::clip_gradients() {
  std::vector<Tensor> gradients;
  const auto gather = [&](const Tensor& parameter) {
    // A parameter that the loss does not reach has none.
    if (!parameter.grad().defined()) parameter.mutable_grad() = torch::zeros_like(parameter);
    gradients.push_back(parameter.grad());
  };
  for (const AdamPart& part : adam_) gather(part.parameter);
  for (const MuonPart& part : muon_)
    std::for_each(part.parameters.begin(), part.parameters.end(), gather);
  std::vector<Tensor> norms;
  for (const Tensor& gradient : gradients) norms.push_back(gradient.norm());
  const double norm = at::stack(norms).to(torch::kF64).norm().item<double>();
  if (recipe_.clip > 0 && norm > recipe_.clip) {
    for (Tensor& gradient : gradients) gradient.mul_(recipe_.clip / norm);
  }
  return norm;
}

void Optimizer::step_adam(AdamPart& part, double rate) {
  const Tensor gradient = part.parameter.grad();
  part.mean.mul_(recipe_.beta1).add_(gradient, 1.0 - recipe_.beta1);
  part.square.mul_(recipe_.beta2).addcmul_(gradient, gradient, 1.0 - recipe_.beta2);
  const auto steps = static_cast<double>(steps_);
  const double mean_share = 1.0 - std::pow(recipe_.beta1, steps);
  const double square_share = 1.0 - std::pow(recipe_.beta2, steps);
  const Tensor scale = part.square.sqrt().div_(std::sqrt(square_share)).add_(kAdamEpsilon);
  Tensor parameter = part.parameter;
  if (part.decay > 0) parameter.mul_(1.0 - rate * part.decay);
  parameter.addcdiv_(part.mean, scale, -rate / mean_share);
  gradient.zero_();
}

void Optimizer::step_muon(MuonPart& part, double rate) {
  std::vector<Tensor> gradients;
  for (const Tensor& parameter : part.parameters) gradients.push_back(parameter.grad());
  Tensor gradient = at::stack(gradients);
  part.momentum.lerp_(gradient, 1.0 - recipe_.momentum);
  gradient.lerp_(part.momentum, recipe_.momentum);
  const Tensor update = orthogonalized(gradient);
  const auto longest = static_cast<double>(std::max(update.size(1), update.size(2)));
  const double scale = kUpdateScale * std::sqrt(longest);
  for (std::size_t i = 0; i < part.parameters.size(); ++i) {
    Tensor parameter = part.parameters[i];
    if (recipe_.weight_decay > 0) parameter.mul_(1.0 - rate * recipe_.weight_decay);
    parameter.add_(update[static_cast<std::int64_t>(i)], -rate * scale);
    gradients[i].zero_();
  }
}

NamedTensors Optimizer::state() const {
  NamedTensors all;
  for (const AdamPart& part : adam_) {
    all.emplace_back("adamw.mean." + part.name, part.mean);
    all.emplace_back("adamw.square." + part.name, part.square);
  }
  for (const MuonPart& part : muon_) {
    for (std::size_t i = 0; i < part.names.size(); ++i) {
      all.emplace_back("muon.momentum." + part.names[i],
                       part.momentum[static_cast<std::int64_t>(i)]);
    }
  }
  return all;
}

}  // namespace laconic::train
