// SPDX-License-Identifier: Apache-2.0
// The names of a split set: NAME-00001-of-00003.gguf and its siblings in the same folder.
//
// How many parts there are and which one a file is stands in its metadata (split.count, split.no);
// the file's name must agree, since the siblings are found by it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

#include "io/gguf_header.h"

namespace laconic {

// The keys as written; absent ones say that the file is whole.
struct GgufSplitFields {
  std::uint64_t number = 0, count = 1;   // split.no, split.count
  std::optional<std::uint64_t> tensors;  // split.tensors.count: of the whole set
};
GgufSplitFields gguf_split_fields(const GgufMetadata& metadata, const std::filesystem::path& path);

struct GgufSplit {
  std::size_t number = 0;                    // of this part, from 0
  std::vector<std::filesystem::path> parts;  // all of the set in order; this file alone when whole
};

// Error(kInput) when the name does not fit the keys or a part is missing.
GgufSplit gguf_split(const std::filesystem::path& path, const GgufMetadata& metadata);

}  // namespace laconic
