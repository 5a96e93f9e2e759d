// SPDX-License-Identifier: Apache-2.0
// A tensor inside a mapped file: a view that lives as long as the file object.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "base/dtype.h"

namespace laconic {

struct TensorView {
  std::string name;
  DType type = DType::kF32;
  std::vector<std::size_t> shape;    // row-major, slowest dimension first (as Hugging Face says it)
  std::span<const std::byte> bytes;  // exactly the product of the shape, in `type`
};

}  // namespace laconic
