// SPDX-License-Identifier: Apache-2.0
// AdamW, and Muon with AdamW for what is not a hidden matrix.
//
// AdamW: Loshchilov and Hutter 2019, algorithm 2. Muon: momentum with Nesterov's look-ahead,
// orthogonalised (Jordan et al. 2024), times 0.2 sqrt(max(rows, columns)) (Liu et al. 2025, "Muon
// is scalable", section 2.2): an update then has the root mean square of an AdamW update, so that
// learning rate and decay mean the same for both kinds of parameters. Embedding and output head are
// tables of rows, not maps between activations: they stay with AdamW, as do norms and biases.
// Weight decay is decoupled and spares vectors. Deterministic for a fixed number of threads.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "train/compat.h"
#include "train/recipe.h"

namespace laconic::train {

using NamedTensors = std::vector<std::pair<std::string, Tensor>>;

class Optimizer {
 public:
  // `parameters` are f32 leaves; they must outlive this object.
  Optimizer(const OptimizerRecipe& recipe, const NamedTensors& parameters);

  // One update with the learning rates times `share`, from the gradients that stand in the
  // parameters; they are clipped to the recipe's global norm and given back as zero. Returns their
  // norm before clipping; where it is not finite, nothing is updated.
  double step(double share);

  // The state by name, f32, in a fixed order; writing into these tensors restores it.
  NamedTensors state() const;
  std::uint64_t steps() const { return steps_; }
  void set_steps(std::uint64_t steps) { steps_ = steps; }

 private:
  struct AdamPart {
    std::string name;
    Tensor parameter, mean, square;
    double decay = 0;  // weight decay
  };
  // Matrices of one shape, updated in one batch of products.
  struct MuonPart {
    std::vector<std::string> names;
    std::vector<Tensor> parameters;  // [rows][columns] each
    Tensor momentum;                 // [parameters][rows][columns]
  };

  double clip_gradients();
  void step_adam(AdamPart& part, double rate);
  void step_muon(MuonPart& part, double rate);

  OptimizerRecipe recipe_;
  std::uint64_t steps_ = 0;
  std::vector<AdamPart> adam_;
  std::vector<MuonPart> muon_;
};

}  // namespace laconic::train
