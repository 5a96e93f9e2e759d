// SPDX-License-Identifier: Apache-2.0
// The functions of functions.h as compositions of plain libtorch operations, with libtorch's own
// gradients: what runs on devices without kernels of ours, and what the kernels are tested against.
#pragma once

#include "train/functions.h"

namespace laconic::train::reference {

Tensor project(const Tensor& x, const Tensor& weight);
Tensor rms_norm(const Tensor& x, const Tensor& weight, double epsilon, at::ScalarType type);
QueryKeyValue split_heads(const HeadShape& shape, const Tensor& qkv, const Tensor& q_norm,
                          const Tensor& k_norm, const Tensor& cosine, const Tensor& sine);
Tensor attention(const HeadShape& shape, const std::vector<std::int64_t>& starts,
                 const QueryKeyValue& heads);
Tensor swiglu(const Tensor& gate_up);
Tensor linear_cross_entropy(const Tensor& hidden, const Tensor& weight, const Tensor& targets);

}  // namespace laconic::train::reference
