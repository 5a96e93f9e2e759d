// SPDX-License-Identifier: Apache-2.0
// A GGUF model: what only its tensors tell completes the config, and llama's q and k rows are put
// back in order.
#include <cstring>
#include <set>

#include "base/error.h"
#include "io/gguf_split.h"
#include "io/printable.h"
#include "model/checkpoint.h"
#include "model/checkpoint_source.h"
#include "model/config_check.h"
#include "model/rope_rows.h"

namespace laconic {
namespace {

namespace fs = std::filesystem;

constexpr const char* kDivisors = "rope_freqs.weight";

std::vector<float> read_divisors(const GgufFile& file, std::string_view where) {
  const TensorView view = file.tensor(kDivisors);
  if (view.type != DType::kF32 || view.shape.size() != 1) {
    throw_input("{}: {} must be one row of f32", where, kDivisors);
  }
  std::vector<float> divisors(view.shape[0]);
  std::memcpy(divisors.data(), view.bytes.data(), view.bytes.size());
  return divisors;
}

bool any_layer_has(const GgufFile& file, std::size_t layers, std::string_view tensor) {
  for (std::size_t layer = 0; layer < layers; ++layer) {
    if (file.contains(fmt::format("blk.{}.{}", layer, tensor))) return true;
  }
  return false;
}

// A tensor that nothing reads would change the result if its graph were known (a bias, a scale, a
// second kind of norm), so it is refused, as llama.cpp does. One kind is harmless: old converters
// wrote the table of the rotation, which follows from the metadata.
void check_unused(const std::string& name, const ModelConfig& config, std::string_view where) {
  check_layer(name, "blk.", config, where);
  if (name.starts_with("blk.") && name.ends_with(".attn_rot_embd.weight")) return;
  throw_input("{}: the tensor {} is no part of a {} model as it is known here", where,
              printable(name), architecture_name(config.architecture));
}

// Every part of a split set, or the file alone.
std::vector<fs::path> all_parts(const GgufFile& file) {
  if (gguf_split_fields(file.metadata(), file.path()).count <= 1) return {file.path()};
  // The metadata are the first part's, so its name goes with them: opening has checked that the
  // name at hand ends in "-0000i-of-0000n.gguf".
  const std::string name = file.path().filename().string();
  constexpr std::size_t kNumber = 6, kRest = 14;  // "-0000i", "-of-0000n.gguf"
  const std::string first =
      name.substr(0, name.size() - kNumber - kRest) + "-00001" + name.substr(name.size() - kRest);
  return gguf_split(file.path().parent_path() / first, file.metadata()).parts;
}

void complete_config(const GgufFile& file, ModelConfig& config, std::string_view where) {
  config.tied_head = !file.contains("output.weight");
  // Biases of one layer make them a must for all; those of qwen2 are no choice.
  config.qkv_bias = config.qkv_bias || any_layer_has(file, config.layers, "attn_q.bias") ||
                    any_layer_has(file, config.layers, "attn_k.bias") ||
                    any_layer_has(file, config.layers, "attn_v.bias");
  config.o_bias = any_layer_has(file, config.layers, "attn_output.bias");
  if (file.contains("token_embd.weight")) {
    const TensorView embedding = file.tensor("token_embd.weight");
    if (embedding.shape.size() == 2) {
      config.vocab = in_range(embedding.shape[0], kVocabRange, "rows of token_embd.weight", where);
    }
  }
  if (!file.contains(kDivisors)) return;
  if (config.architecture != Architecture::kLlama) {
    throw_input("{}: {} is supported for llama models only", where, kDivisors);
  }
  config.rope.frequency_divisors = read_divisors(file, where);
  check_config(config, where);
}

}  // namespace

CheckpointSource open_gguf_checkpoint(const fs::path& path) {
  CheckpointSource source;
  source.path = path;
  source.gguf.emplace_back(path);
  const GgufFile& file = source.gguf.front();
  const std::string where = path.string();
  source.files = all_parts(file);
  source.config = config_from_gguf(file.metadata(), where);
  complete_config(file, source.config, where);
  source.format = "gguf";
  if (source.config.name.empty()) source.config.name = path.stem().string();

  std::set<std::string, std::less<>> used = {kDivisors};
  source.tensors = collect_tensors(source.config, where, [&](const std::string& name) {
    const std::string stored = gguf_tensor_name(name);
    if (!file.contains(stored)) throw_input("{}: the tensor {} is missing", where, stored);
    used.insert(stored);
    return file.tensor(stored);
  });
  for (TensorView& tensor : source.tensors) {
    const std::size_t heads = interleaved_heads(source.config, tensor.name);
    if (heads == 0) continue;
    source.reordered.push_back(separate_rows(tensor.bytes, heads, source.config.head_dim));
    tensor.bytes = source.reordered.back();
  }
  for (std::string& name : file.names()) {
    if (used.count(name) > 0) continue;
    check_unused(name, source.config, where);
    source.unused.push_back(std::move(name));
  }
  return source;
}

}  // namespace laconic
