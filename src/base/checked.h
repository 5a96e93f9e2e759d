// SPDX-License-Identifier: Apache-2.0
// Arithmetic on sizes that come from files: overflow is the file's fault and is reported as such.
#pragma once

#include <cstddef>

#include "base/error.h"

namespace laconic {

// a * b, or an Error(kInput) that names `what`.
inline std::size_t checked_mul(std::size_t a, std::size_t b, const char* what) {
  std::size_t out = 0;
  if (__builtin_mul_overflow(a, b, &out)) throw_input("{} overflows: {} times {}", what, a, b);
  return out;
}

// a + b, or an Error(kInput) that names `what`.
inline std::size_t checked_add(std::size_t a, std::size_t b, const char* what) {
  std::size_t out = 0;
  if (__builtin_add_overflow(a, b, &out)) throw_input("{} overflows: {} plus {}", what, a, b);
  return out;
}

}  // namespace laconic
