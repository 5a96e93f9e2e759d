// SPDX-License-Identifier: Apache-2.0
// The safetensors format: one file, memory-mapped, and a writer.
//
// Foreign bytes end here: header length, JSON, dtypes, shapes, offsets, overlaps and holes are
// checked before any tensor is handed out. Element types: F32, F16, BF16 (others are refused by
// name when the tensor is asked for, not when the file is opened).
#pragma once

#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "io/safetensors_header.h"
#include "io/tensor.h"

namespace laconic {

class SafetensorsFile {
 public:
  // Error(kInput) names the file and what is wrong.
  explicit SafetensorsFile(const std::filesystem::path& path);

  // Names in file order of the header.
  std::vector<std::string> names() const;
  bool contains(std::string_view name) const;
  // Error(kInput) when absent, of an element type that is not supported, or not aligned to it.
  TensorView tensor(std::string_view name) const;
  const std::map<std::string, std::string>& metadata() const { return header_.metadata; }
  const std::filesystem::path& path() const { return file_.path(); }

 private:
  MappedFile file_;
  SafetensorsHeader header_;
  std::map<std::string, std::size_t, std::less<>> index_;  // name -> place in header_.entries
};

// All checks of opening, on a whole file's bytes.
void check_safetensors(std::span<const std::byte> bytes, std::string_view where);

// Writes atomically, the header in the given order, every tensor aligned to its element. Error
// (kInput) for what the format cannot hold: block types, repeated names, bytes unlike the shape.
void write_safetensors(const std::filesystem::path& path, std::span<const TensorView> tensors,
                       const std::map<std::string, std::string>& metadata = {});

}  // namespace laconic
