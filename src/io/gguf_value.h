// SPDX-License-Identifier: Apache-2.0
// The type numbers of metadata values, and reading one value.
#pragma once

#include <cstdint>

#include "io/gguf_cursor.h"
#include "io/gguf_header.h"

namespace laconic {

enum class GgufType : std::uint32_t {
  kUint8 = 0,
  kInt8 = 1,
  kUint16 = 2,
  kInt16 = 3,
  kUint32 = 4,
  kInt32 = 5,
  kFloat32 = 6,
  kBool = 7,
  kString = 8,
  kArray = 9,
  kUint64 = 10,
  kInt64 = 11,
  kFloat64 = 12,
};

// The type number and the value at the cursor; `what` names the key in errors.
GgufValue read_gguf_value(GgufCursor& cursor, std::string_view what);

}  // namespace laconic
