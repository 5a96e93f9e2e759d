// SPDX-License-Identifier: Apache-2.0
// Everything of a GGUF file but the tensors' bytes: metadata and the list of tensors, read from
// foreign bytes (versions 2 and 3, little-endian).
//
// Promises: lengths and counts are checked against the bytes that are left before anything is
// allocated; tensors of the supported types lie inside the file and share no byte; the others
// begin inside it. Refuses big-endian files, version 1, arrays of arrays, repeated keys and names.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/dtype.h"

namespace laconic {

// A metadata value. Integers of every width are held as 64 bits with their sign, floats as double;
// the writer picks uint32 / int32 / float32 unless a value needs more. Arrays of arrays are
// refused.
using GgufValue = std::variant<std::uint64_t, std::int64_t, double, bool, std::string,
                               std::vector<std::uint64_t>, std::vector<std::int64_t>,
                               std::vector<double>, std::vector<bool>, std::vector<std::string>>;
using GgufMetadata = std::map<std::string, GgufValue, std::less<>>;

struct GgufTensorInfo {
  std::string name;
  std::uint32_t type = 0;          // ggml's number, as written
  std::vector<std::size_t> shape;  // row-major, slowest first: GGUF's dimensions reversed
  std::size_t begin = 0;           // byte of the file
  std::size_t bytes = 0;           // 0 when the type is not supported
};

struct GgufHeader {
  std::uint32_t version = 0;
  GgufMetadata metadata;
  std::vector<GgufTensorInfo> tensors;  // in file order
};

// `file` is a whole file, `where` its name for errors. Error(kInput) says what is wrong.
GgufHeader parse_gguf_header(std::span<const std::byte> file, std::string_view where);

// Tensor types: ggml's numbers.
std::optional<DType> dtype_from_ggml(std::uint32_t type);  // nothing when not supported
std::uint32_t ggml_from_dtype(DType type);
std::string ggml_type_name(std::uint32_t type);  // "Q4_K", or "type 77" when unknown

inline constexpr std::uint32_t kGgufMagic = 0x46554747;  // the letters GGUF

// Tensor data begin at multiples of this unless the file says otherwise.
inline constexpr std::size_t kGgufAlignment = 32;

}  // namespace laconic
