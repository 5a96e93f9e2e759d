// SPDX-License-Identifier: Apache-2.0
// A GGUF model: what only its tensors tell completes the config, and llama's q and k rows are put
// back in order.
#include <cstring>
#include <set>

#include "base/error.h"
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

void complete_config(const GgufFile& file, ModelConfig& config, std::string_view where) {
  config.tied_head = !file.contains("output.weight");
  config.qkv_bias = file.contains("blk.0.attn_q.bias");
  config.o_bias = file.contains("blk.0.attn_output.bias");
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
    if (used.count(name) == 0) source.unused.push_back(std::move(name));
  }
  return source;
}

}  // namespace laconic
