// SPDX-License-Identifier: Apache-2.0
// The nearest orthogonal matrix, roughly: what Muon makes of a momentum.
//
// Five steps of the quintic iteration X <- a X + (b A + c A A) X, A = X X', with (a, b, c) =
// (3.4445, -4.7750, 2.0315) (Jordan et al. 2024, "Muon"): singular values end between about 0.7 and
// 1.2, which serves as well as exactly 1. Products in bf16: the iteration forgives their rounding,
// and Debian's libtorch multiplies f32 with the reference BLAS, a hundred times slower.
#pragma once

#include "train/compat.h"

namespace laconic::train {

// `matrices` [count][rows][columns] of any float type; the result has its shape, in f32.
Tensor orthogonalized(const Tensor& matrices);

}  // namespace laconic::train
