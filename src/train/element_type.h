// SPDX-License-Identifier: Apache-2.0
// From libtorch's tensors to the raw pointers of the kernels.
#pragma once

#include <cassert>
#include <cstdint>

#include "train/compat.h"

namespace laconic::train {

// Calls body with a float, or with a std::uint16_t for the bits of a bf16.
template <typename Body>
auto with_element_type(at::ScalarType type, Body&& body) {
  assert(type == at::kFloat || type == at::kBFloat16);
  if (type == at::kFloat) return body(float{});
  return body(std::uint16_t{});
}

// All elements in order. PRECONDITION: contiguous on the CPU, or undefined (null), elements of T's
// size.
template <typename T>
T* elements(const Tensor& tensor) {
  if (!tensor.defined()) return nullptr;
  assert(tensor.is_contiguous() && tensor.is_cpu() && tensor.element_size() == sizeof(T));
  return static_cast<T*>(tensor.data_ptr());
}

inline std::size_t extent(const Tensor& tensor, std::int64_t dimension) {
  return static_cast<std::size_t>(tensor.size(dimension));
}

}  // namespace laconic::train
