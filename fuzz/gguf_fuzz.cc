// SPDX-License-Identifier: Apache-2.0
// A GGUF file: any bytes give a header or an Error, and a header's promises hold.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "io/gguf_header.h"
#include "laconic/error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span<const std::byte> file(reinterpret_cast<const std::byte*>(data), size);
  try {
    std::size_t bytes = 0;
    for (const auto& info : laconic::parse_gguf_header(file, "fuzz").tensors) {
      if (info.begin > size || info.bytes > size - info.begin) std::abort();
      if (info.shape.empty() || info.shape.size() > 4) std::abort();
      bytes += info.bytes;
    }
    if (bytes > size) std::abort();  // tensors that share bytes
  } catch (const laconic::Error& failure) {
    if (failure.kind() != laconic::ErrorKind::kInput) std::abort();
  }
  return 0;
}
