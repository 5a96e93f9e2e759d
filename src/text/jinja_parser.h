// SPDX-License-Identifier: Apache-2.0
// Source to tree: Jinja's grammar, without inheritance, imports and call blocks.
#pragma once

#include <string_view>

#include "text/jinja_ast.h"

namespace laconic::jinja {

Block parse_template(std::string_view source);  // Error(kInput) with the line

}  // namespace laconic::jinja
