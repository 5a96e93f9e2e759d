// SPDX-License-Identifier: Apache-2.0
// The JSON document at the front of a safetensors file, read event by event: no tree is built (a
// 100 MB header would take gigabytes as one), order is kept and repeated keys are seen.
//
// Only the grammar is checked here: an object of tensors, each with dtype, shape and data_offsets,
// and an optional "__metadata__" of strings. Offsets are as written, relative to the data.
#pragma once

#include <string_view>

#include "io/safetensors_header.h"

namespace laconic {

SafetensorsHeader parse_safetensors_json(std::string_view json, std::string_view where);

}  // namespace laconic
