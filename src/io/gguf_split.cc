// SPDX-License-Identifier: Apache-2.0
#include "io/gguf_split.h"

#include <system_error>

#include "base/error.h"
#include "io/gguf.h"

namespace laconic {
namespace {

constexpr std::uint64_t kMostParts = 65535;  // the writers' field has 16 bits

std::string part_suffix(std::uint64_t number, std::uint64_t count) {
  return fmt::format("-{:05}-of-{:05}.gguf", number + 1, count);
}

}  // namespace

GgufSplitFields gguf_split_fields(const GgufMetadata& metadata, const std::filesystem::path& path) {
  try {
    return {gguf_uint(metadata, "split.no").value_or(0),
            gguf_uint(metadata, "split.count").value_or(1),
            gguf_uint(metadata, "split.tensors.count")};
  } catch (const Error& failure) {
    throw_input("{}: {}", path.string(), failure.what());  // a look-up does not know the file
  }
}

GgufSplit gguf_split(const std::filesystem::path& path, const GgufMetadata& metadata) {
  const GgufSplitFields fields = gguf_split_fields(metadata, path);
  const std::uint64_t number = fields.number, count = fields.count;
  if (count <= 1) return {0, {path}};
  if (count > kMostParts || number >= count) {
    throw_input(
        "{}: split.no is {} and split.count is {}, at most {} parts numbered from 0 are "
        "allowed",
        path.string(), number, count, kMostParts);
  }
  const std::string name = path.filename().string();
  const std::string suffix = part_suffix(number, count);
  if (!name.ends_with(suffix)) {
    throw_input("{}: it is part {} of {} of a split model, so its name must end in {}",
                path.string(), number + 1, count, suffix);
  }
  const std::string stem = name.substr(0, name.size() - suffix.size());
  GgufSplit split{number, {}};
  for (std::uint64_t i = 0; i < count; ++i) {
    split.parts.push_back(path.parent_path() / (stem + part_suffix(i, count)));
    std::error_code unreadable;
    if (!std::filesystem::exists(split.parts.back(), unreadable)) {
      throw_input("{}: it is part {} of {} of a split model, {} is missing beside it",
                  path.string(), number + 1, count, split.parts.back().filename().string());
    }
  }
  return split;
}

}  // namespace laconic
