// SPDX-License-Identifier: Apache-2.0
// What a reader of one format hands to Checkpoint: mapped files, config, and views under one set
// of names. Everything is checked before it gets here.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "io/gguf.h"
#include "io/safetensors.h"
#include "io/tensor.h"
#include "model/config.h"

namespace laconic {

struct CheckpointSource {
  std::filesystem::path path;                // the directory or file itself
  std::vector<std::filesystem::path> files;  // of weights, all shards or parts
  ModelConfig config;
  std::string format;
  std::vector<SafetensorsFile> shards;            // owners of the views, one format or the other
  std::vector<GgufFile> gguf;                     // at most one
  std::vector<std::vector<std::byte>> reordered;  // q and k rows put back in order
  std::vector<TensorView> tensors;                // decoder_tensors(config), in that order
  std::vector<std::string> unused;
  Json generation_config = Json::object();
};

CheckpointSource open_hf_directory(const std::filesystem::path& directory);
CheckpointSource open_gguf_checkpoint(const std::filesystem::path& file);

// Error(kInput) when `name` is "PREFIX<number>." of a layer that the config does not have: a model
// cut short by its config computes something else than was trained.
void check_layer(std::string_view name, std::string_view prefix, const ModelConfig& config,
                 std::string_view where);

// Views of every tensor of the config: `lookup(hf_name)` gives the file's tensor or throws. Checks
// shapes, that vectors are f32, f16 or bf16, and that block rows are whole; views carry the Hugging
// Face name.
using TensorLookup = std::function<TensorView(const std::string& hf_name)>;
std::vector<TensorView> collect_tensors(const ModelConfig& config, std::string_view where,
                                        const TensorLookup& lookup);

}  // namespace laconic
