// SPDX-License-Identifier: Apache-2.0
// The version that `laconic --version` and reports print: the one of CMakeLists.txt.
#pragma once

#include <string_view>

namespace laconic::cli {

inline constexpr std::string_view kVersion = LACONIC_VERSION;

}  // namespace laconic::cli
