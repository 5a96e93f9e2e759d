// SPDX-License-Identifier: Apache-2.0
// A checker of written reasoning that reads the question for itself.
//
// Every line must be of a known kind, in its place, and follow from the question and the lines
// before it; every number and name is compared with what an independent reader of the question
// worked out. The first thing that is wrong is told in a sentence; "" means all is well.
#pragma once

#include <string>
#include <string_view>

#include "data/problem.h"

namespace laconic::test {

std::string reasoning_fault(const Problem& problem);

// The equations "a op b = c" alone, wherever they stand.
std::string equation_fault(std::string_view reasoning);

}  // namespace laconic::test
