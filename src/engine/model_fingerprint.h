// SPDX-License-Identifier: Apache-2.0
// Tells one model from another by what it computes with, wherever its files lie.
#pragma once

#include <string>

#include "laconic/model.h"
#include "model/weights.h"

namespace laconic {

// 16 hexadecimal digits over the shape and a sample of the bytes of every weight (start, middle and
// end of each matrix): another training run, another element type or another shape gives others.
// Touches a few pages per matrix, so it is quick for models of any size.
std::string model_fingerprint(const Model& model);
std::string model_fingerprint(const Weights& weights);

}  // namespace laconic
