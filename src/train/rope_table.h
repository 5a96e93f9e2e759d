// SPDX-License-Identifier: Apache-2.0
// Cosines and sines of RoPE (Su et al. 2021, arXiv 2104.09864, section 3.2) at given positions,
// worked out in f64.
#pragma once

#include "train/compat.h"

namespace laconic::train {

struct RopeRows {
  Tensor cosine, sine;  // f32 [rows][head_dim / 2]
};

// positions: int64 [rows], not negative.
RopeRows rope_rows(const Tensor& positions, std::int64_t head_dim, double theta);

}  // namespace laconic::train
