// SPDX-License-Identifier: Apache-2.0
// The header of a safetensors file, read from foreign bytes.
//
// Promises: every tensor's bytes lie inside the file, no two tensors share a byte, no byte after
// the header is left over, and the size agrees with shape and element type where that type is
// known. Refuses what the published format refuses: headers beyond 100 MB, repeated names, holes.
#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace laconic {

struct SafetensorsEntry {
  std::string name;
  std::string dtype;  // as written
  std::vector<std::size_t> shape;
  std::size_t begin = 0, end = 0;  // bytes, absolute in the file
};

struct SafetensorsHeader {
  std::vector<SafetensorsEntry> entries;  // in the header's order
  std::map<std::string, std::string> metadata;
};

// `file` is a whole file, `where` its name for errors. Error(kInput) says what is wrong.
SafetensorsHeader parse_safetensors_header(std::span<const std::byte> file, std::string_view where);

}  // namespace laconic
