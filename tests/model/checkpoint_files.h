// SPDX-License-Identifier: Apache-2.0
// Small checkpoints for tests, and ways to damage them.
#pragma once

#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/half.h"
#include "base/json.h"
#include "io/safetensors.h"
#include "model/checkpoint.h"
#include "model/convert.h"

namespace laconic::test {

inline Json read_json(const std::filesystem::path& path) {
  return parse_json(read_file(path), path.string());
}

// A Hugging Face directory at the shape of "tiny" with f32 weights.
inline void make_tiny(const std::filesystem::path& out, std::uint64_t seed = 1) {
  make_random_model(known_model("tiny"), out, DType::kF32, {}, seed);
}

// The tensors of a directory's model.safetensors, free to be changed and written again.
struct Tensors {
  std::vector<TensorView> views;
  std::vector<std::vector<std::byte>> owned;

  explicit Tensors(const std::filesystem::path& directory) {
    const SafetensorsFile file(directory / "model.safetensors");
    for (const std::string& name : file.names()) {
      TensorView view = file.tensor(name);
      owned.emplace_back(view.bytes.begin(), view.bytes.end());
      view.bytes = owned.back();
      views.push_back(view);
    }
  }
  TensorView& at(const std::string& name) {
    for (TensorView& view : views) {
      if (view.name == name) return view;
    }
    throw std::out_of_range(name);
  }
  void write(const std::filesystem::path& directory) const {
    write_safetensors(directory / "model.safetensors", views);
  }
};

// A tensor of floats, widened.
inline std::vector<float> floats(const TensorView& view) {
  std::vector<float> out;
  if (view.type == DType::kF32) {
    out.resize(view.bytes.size() / 4);
    std::memcpy(out.data(), view.bytes.data(), view.bytes.size());
    return out;
  }
  std::vector<std::uint16_t> raw(view.bytes.size() / 2);
  std::memcpy(raw.data(), view.bytes.data(), view.bytes.size());
  for (const std::uint16_t half : raw) {
    out.push_back(view.type == DType::kF16 ? float_from_f16(half) : float_from_bf16(half));
  }
  return out;
}

}  // namespace laconic::test
