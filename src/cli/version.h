// SPDX-License-Identifier: Apache-2.0
// The version that `laconic --version` and reports print; a test compares it with the build's.
#pragma once

#include <string_view>

namespace laconic::cli {

inline constexpr std::string_view kVersion = "0.1.0";

}  // namespace laconic::cli
