// SPDX-License-Identifier: Apache-2.0
// GGUF v2 and v3: metadata and tensors of one file or of a split set, memory-mapped; and a writer.
//
// Foreign bytes end here. Tensor types: F32, F16, BF16, Q8_0, Q4_0, Q4_K, Q5_K, Q6_K; others are
// refused by name when the tensor is asked for. Big-endian files are refused.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "io/gguf_header.h"
#include "io/tensor.h"

namespace laconic {

// Typed look-ups. Missing gives nothing; another kind of value is an Error(kInput) naming the key.
// Integers of either sign type pass where their value fits, and where a float is asked for.
std::optional<std::uint64_t> gguf_uint(const GgufMetadata& m, std::string_view key);
std::optional<double> gguf_float(const GgufMetadata& m, std::string_view key);
std::optional<bool> gguf_bool(const GgufMetadata& m, std::string_view key);
std::optional<std::string> gguf_string(const GgufMetadata& m, std::string_view key);
// Arrays; null when missing.
const std::vector<std::string>* gguf_strings(const GgufMetadata& m, std::string_view key);
std::optional<std::vector<double>> gguf_floats(const GgufMetadata& m, std::string_view key);
std::optional<std::vector<std::int64_t>> gguf_ints(const GgufMetadata& m, std::string_view key);

class GgufFile {
 public:
  // Opens `path`; when it is one of a split set ("-00001-of-0000N.gguf"), whichever, the others
  // beside it too. The metadata are the first one's. Error(kInput) names the file and what is
  // wrong.
  explicit GgufFile(const std::filesystem::path& path);

  const GgufMetadata& metadata() const { return metadata_; }
  std::vector<std::string> names() const;  // in file order
  bool contains(std::string_view name) const;
  // Shape is row-major, slowest first: GGUF's dimensions reversed. Error(kInput) when absent or of
  // a type that is not supported.
  TensorView tensor(std::string_view name) const;
  const std::filesystem::path& path() const { return path_; }
  std::uint32_t version() const { return version_; }  // of the file format: 2 or 3

 private:
  struct Place {
    std::size_t part = 0;   // in parts_
    std::size_t entry = 0;  // in that part's tensors
  };
  struct Part {
    MappedFile file;
    std::vector<GgufTensorInfo> tensors;
  };
  void add_part(MappedFile file, GgufHeader header);

  std::filesystem::path path_;
  std::uint32_t version_ = 0;
  GgufMetadata metadata_;
  std::vector<Part> parts_;  // one, or all of a split set in order
  std::map<std::string, Place, std::less<>> index_;
};

// All checks of opening, on the bytes of one whole file; the other parts of a set are not looked
// at.
void check_gguf(std::span<const std::byte> bytes, std::string_view where);

// Writes a GGUF v3 file, atomically, tensor by tensor: `produce(i)` gives the bytes of tensor i
// when it is needed, so that a conversion never holds more than one tensor. Keys that describe the
// container (general.alignment, split.*) are the writer's own: given ones are left out.
struct GgufTensorPlan {
  std::string name;
  DType type = DType::kF32;
  std::vector<std::size_t> shape;  // row-major, slowest first
};
using GgufProducer = std::function<std::vector<std::byte>(std::size_t index)>;
void write_gguf(const std::filesystem::path& path, const GgufMetadata& metadata,
                std::span<const GgufTensorPlan> tensors, const GgufProducer& produce);

}  // namespace laconic
