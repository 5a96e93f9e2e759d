// SPDX-License-Identifier: Apache-2.0
// What an exception has to say, as one sentence for a person: without libtorch's stack of calls,
// line ends and the full stop.
#pragma once

#include <exception>
#include <string>

namespace laconic::train {

std::string error_text(const std::exception& error);
std::string one_sentence(std::string text);

}  // namespace laconic::train
