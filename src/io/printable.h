// SPDX-License-Identifier: Apache-2.0
// Names out of foreign files, made fit for one line of an error message: valid UTF-8, no control
// characters, quoted, and short however long the name is.
#pragma once

#include <string>
#include <string_view>

namespace laconic {

std::string printable(std::string_view name);

}  // namespace laconic
