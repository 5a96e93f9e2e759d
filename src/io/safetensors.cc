// SPDX-License-Identifier: Apache-2.0
#include "io/safetensors.h"

#include <optional>

#include "base/error.h"
#include "io/printable.h"

namespace laconic {
namespace {

std::optional<DType> supported_type(std::string_view dtype) {
  if (dtype == "F32") return DType::kF32;
  if (dtype == "F16") return DType::kF16;
  if (dtype == "BF16") return DType::kBF16;
  return std::nullopt;
}

}  // namespace

SafetensorsFile::SafetensorsFile(const std::filesystem::path& path)
    : file_(path), header_(parse_safetensors_header(file_.bytes(), path.string())) {
  for (std::size_t i = 0; i < header_.entries.size(); ++i) {
    index_.emplace(header_.entries[i].name, i);
  }
}

std::vector<std::string> SafetensorsFile::names() const {
  std::vector<std::string> names;
  names.reserve(header_.entries.size());
  for (const SafetensorsEntry& entry : header_.entries) names.push_back(entry.name);
  return names;
}

bool SafetensorsFile::contains(std::string_view name) const {
  return index_.find(name) != index_.end();
}

TensorView SafetensorsFile::tensor(std::string_view name) const {
  const auto found = index_.find(name);
  if (found == index_.end()) {
    throw_input("{}: there is no tensor {}", path().string(), printable(name));
  }
  const SafetensorsEntry& entry = header_.entries[found->second];
  const std::optional<DType> type = supported_type(entry.dtype);
  if (!type) {
    throw_input("{}: tensor {} has elements of type {}, F32, F16 and BF16 are supported",
                path().string(), printable(name), printable(entry.dtype));
  }
  // The mapping begins at a page, so a place in the file is aligned as its address is.
  if (entry.begin % block_bytes(*type) != 0) {
    throw_input(
        "{}: tensor {} begins at byte {}, which is no multiple of its element's {} bytes (writing "
        "the file anew with a current safetensors library aligns it)",
        path().string(), printable(name), entry.begin, block_bytes(*type));
  }
  return {entry.name, *type, entry.shape,
          file_.bytes().subspan(entry.begin, entry.end - entry.begin)};
}

void check_safetensors(std::span<const std::byte> bytes, std::string_view where) {
  parse_safetensors_header(bytes, where);
}

}  // namespace laconic
