// SPDX-License-Identifier: Apache-2.0
// Small models whose every matrix K-quants can hold.
#pragma once

#include <vector>

#include "engine/engine_testing.h"

namespace laconic::test {

// "tiny" with rows of 256 and 512. A llama model's q and k rows change places in a GGUF.
inline ModelConfig k_quant_shape(Architecture architecture, bool tied) {
  ModelConfig config = known_model("tiny");
  config.architecture = architecture;
  config.qk_norm = architecture == Architecture::kQwen3;
  config.tied_head = tied;
  config.hidden = 256;
  config.intermediate = 512;
  config.head_dim = 64;
  return config;
}

// Each type alone, and two of them in one layer, where products share their input.
inline std::vector<TypeMix> k_quant_mixes() {
  return {DType::kQ4_K, DType::kQ5_K, DType::kQ6_K, TypeMix::q4_k_m()};
}

}  // namespace laconic::test
