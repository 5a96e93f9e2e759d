// SPDX-License-Identifier: Apache-2.0
// Shorthands that format a sentence and throw laconic::Error.
#pragma once

#include <fmt/format.h>

#include <utility>

#include "laconic/error.h"

namespace laconic {

template <typename... Args>
[[noreturn]] void throw_usage(fmt::format_string<Args...> text, Args&&... args) {
  throw Error(ErrorKind::kUsage, fmt::format(text, std::forward<Args>(args)...));
}

template <typename... Args>
[[noreturn]] void throw_input(fmt::format_string<Args...> text, Args&&... args) {
  throw Error(ErrorKind::kInput, fmt::format(text, std::forward<Args>(args)...));
}

template <typename... Args>
[[noreturn]] void throw_resource(fmt::format_string<Args...> text, Args&&... args) {
  throw Error(ErrorKind::kResource, fmt::format(text, std::forward<Args>(args)...));
}

}  // namespace laconic
