// SPDX-License-Identifier: Apache-2.0
// The safetensors header: any bytes give a header or an Error, and a header's promises hold.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "io/safetensors_header.h"
#include "laconic/error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span<const std::byte> file(reinterpret_cast<const std::byte*>(data), size);
  try {
    std::size_t bytes = 0;
    for (const auto& entry : laconic::parse_safetensors_header(file, "fuzz").entries) {
      if (entry.begin > entry.end || entry.end > size) std::abort();
      bytes += entry.end - entry.begin;
    }
    if (bytes > size) std::abort();  // tensors that share bytes
  } catch (const laconic::Error& failure) {
    if (failure.kind() != laconic::ErrorKind::kInput) std::abort();
  }
  return 0;
}
