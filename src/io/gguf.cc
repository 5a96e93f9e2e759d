// SPDX-License-Identifier: Apache-2.0
#include "io/gguf.h"

#include <utility>

#include "base/error.h"
#include "io/gguf_split.h"
#include "io/printable.h"

namespace laconic {

GgufFile::GgufFile(const std::filesystem::path& path) : path_(path) {
  MappedFile opened(path);
  GgufHeader opened_header = parse_gguf_header(opened.bytes(), path.string());
  version_ = opened_header.version;
  const GgufSplit split = gguf_split(path, opened_header.metadata);
  for (std::size_t i = 0; i < split.parts.size(); ++i) {
    if (i == split.number) {
      add_part(std::move(opened), std::move(opened_header));
    } else {
      MappedFile file(split.parts[i]);
      GgufHeader header = parse_gguf_header(file.bytes(), split.parts[i].string());
      const GgufSplitFields fields = gguf_split_fields(header.metadata, split.parts[i]);
      if (fields.number != i || fields.count != split.parts.size()) {
        throw_input("{}: it calls itself part {} of {}, its name and the set say {} of {}",
                    split.parts[i].string(), fields.number + 1, fields.count, i + 1,
                    split.parts.size());
      }
      add_part(std::move(file), std::move(header));
    }
  }
  const auto promised = gguf_split_fields(metadata_, split.parts[0]).tensors;
  if (promised && *promised != index_.size()) {
    throw_input("{}: split.tensors.count is {}, {} tensors are there", split.parts[0].string(),
                *promised, index_.size());
  }
}

void GgufFile::add_part(MappedFile file, GgufHeader header) {
  if (parts_.empty()) metadata_ = std::move(header.metadata);
  for (std::size_t i = 0; i < header.tensors.size(); ++i) {
    const std::string& name = header.tensors[i].name;
    if (!index_.emplace(name, Place{parts_.size(), i}).second) {
      throw_input("{}: tensor {} is in an earlier part too", file.path().string(), printable(name));
    }
  }
  parts_.push_back({std::move(file), std::move(header.tensors)});
}

std::vector<std::string> GgufFile::names() const {
  std::vector<std::string> names;
  names.reserve(index_.size());
  for (const Part& part : parts_) {
    for (const GgufTensorInfo& info : part.tensors) names.push_back(info.name);
  }
  return names;
}

bool GgufFile::contains(std::string_view name) const { return index_.find(name) != index_.end(); }

TensorView GgufFile::tensor(std::string_view name) const {
  const auto found = index_.find(name);
  if (found == index_.end()) {
    throw_input("{}: there is no tensor {}", path_.string(), printable(name));
  }
  const Part& part = parts_[found->second.part];
  const GgufTensorInfo& info = part.tensors[found->second.entry];
  const std::optional<DType> type = dtype_from_ggml(info.type);
  if (!type) {
    throw_input(
        "{}: tensor {} is stored as {}, F32, F16, BF16, Q8_0, Q4_0, Q4_K, Q5_K and Q6_K are "
        "supported",
        part.file.path().string(), printable(name), ggml_type_name(info.type));
  }
  return {info.name, *type, info.shape, part.file.bytes().subspan(info.begin, info.bytes)};
}

void check_gguf(std::span<const std::byte> bytes, std::string_view where) {
  parse_gguf_header(bytes, where);
}

}  // namespace laconic
