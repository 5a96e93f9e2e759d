// SPDX-License-Identifier: Apache-2.0
// Files of both formats built byte by byte, so that each field can be wrong on its own.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "io/gguf_value.h"
#include "laconic/error.h"

namespace laconic::test {

inline std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span<const char>(text.data(), text.size()));
}

// Runs `action`, which must throw Error(kInput) with one line that holds every one of `parts`.
template <typename Action>
void expect_input_error(Action&& action, const std::vector<std::string>& parts) {
  try {
    action();
    FAIL() << "no error; expected one with: " << ::testing::PrintToString(parts);
  } catch (const Error& failure) {
    const std::string message = failure.what();
    EXPECT_EQ(failure.kind(), ErrorKind::kInput) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    for (const std::string& part : parts) EXPECT_THAT(message, ::testing::HasSubstr(part));
  }
}

template <typename T>
std::string raw(T value) {
  return std::string(reinterpret_cast<const char*>(&value), sizeof(value));
}

// 8 bytes of length, the header, the data.
inline std::string safetensors_bytes(const std::string& header, const std::string& data) {
  return raw(static_cast<std::uint64_t>(header.size())) + header + data;
}

inline std::string gguf_string_bytes(std::string_view text) {
  return raw(static_cast<std::uint64_t>(text.size())) + std::string(text);
}

inline std::string gguf_pair(std::string_view key, GgufType type, const std::string& value) {
  return gguf_string_bytes(key) + raw(static_cast<std::uint32_t>(type)) + value;
}

inline std::string gguf_array(GgufType type, std::uint64_t count, const std::string& items) {
  return raw(static_cast<std::uint32_t>(type)) + raw(count) + items;
}

// `dims` in GGUF's order, fastest first.
inline std::string gguf_tensor(std::string_view name, const std::vector<std::uint64_t>& dims,
                               std::uint32_t type, std::uint64_t offset) {
  std::string out = gguf_string_bytes(name) + raw(static_cast<std::uint32_t>(dims.size()));
  for (const std::uint64_t dim : dims) out += raw(dim);
  return out + raw(type) + raw(offset);
}

// A file in parts; by default whole and valid. Counts follow the lists unless set.
struct GgufParts {
  std::string magic = "GGUF";
  std::uint32_t version = 3;
  std::vector<std::string> pairs, tensors;
  std::uint64_t extra_pairs = 0, extra_tensors = 0;  // counted but not there
  std::size_t alignment = 32;
  std::string data;

  std::string bytes() const {
    std::string out = magic + raw(version) +
                      raw(static_cast<std::uint64_t>(tensors.size()) + extra_tensors) +
                      raw(static_cast<std::uint64_t>(pairs.size()) + extra_pairs);
    for (const std::string& pair : pairs) out += pair;
    for (const std::string& tensor : tensors) out += tensor;
    if (!data.empty()) out.resize((out.size() + alignment - 1) / alignment * alignment);
    return out + data;
  }
};

// One of every supported tensor type and a few metadata, 1124 bytes of data.
inline GgufParts valid_gguf() {
  GgufParts parts;
  parts.pairs = {
      gguf_pair("general.architecture", GgufType::kString, gguf_string_bytes("llama")),
      gguf_pair("llama.block_count", GgufType::kUint32, raw(std::uint32_t{2})),
      gguf_pair("tokenizer.ggml.tokens", GgufType::kArray,
                gguf_array(GgufType::kString, 2, gguf_string_bytes("a") + gguf_string_bytes(""))),
  };
  parts.tensors = {
      gguf_tensor("f32", {3, 2}, 0, 0),    gguf_tensor("f16", {2, 1, 1, 5}, 1, 32),
      gguf_tensor("q4_0", {32, 2}, 2, 64), gguf_tensor("q8_0", {32}, 8, 128),
      gguf_tensor("bf16", {7}, 30, 192),   gguf_tensor("q4_k", {256, 2}, 12, 224),
      gguf_tensor("q5_k", {256}, 13, 512), gguf_tensor("q6_k", {512, 1}, 14, 704),
  };
  parts.data.resize(1124);
  for (std::size_t i = 0; i < parts.data.size(); ++i) parts.data[i] = static_cast<char>(i);
  return parts;
}

}  // namespace laconic::test
