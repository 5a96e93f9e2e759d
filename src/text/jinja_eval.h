// SPDX-License-Identifier: Apache-2.0
// Walks the tree of a template and writes its text, within the limits of a render.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "text/jinja_ast.h"
#include "text/jinja_limits.h"

namespace laconic::jinja {

// Error(kInput) with the line for whatever goes wrong.
std::string render(const Block& tree, const nlohmann::ordered_json& context,
                   const Limits& limits = {});

}  // namespace laconic::jinja
