// SPDX-License-Identifier: Apache-2.0
// A checkpoint on disk under one set of names, whatever format it came in.
//
// Names are Hugging Face's ("model.layers.0.self_attn.q_proj.weight"). GGUF's permuted q/k rows of
// llama models are put back in order (rows move whole, so quantised types stay as they are).
// Tensors are as stored; nothing is widened. Shapes are checked against the config.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/tensor.h"
#include "model/config.h"
#include "text/tokenizer.h"

namespace laconic {

// The embedding, and the output head too where the config ties it.
inline constexpr const char* kEmbeddingName = "model.embed_tokens.weight";

// Whether a step reads single rows of a tensor: those of an embedding that is not the head too.
inline bool only_looked_up(const TensorView& tensor, const ModelConfig& config) {
  return tensor.name == kEmbeddingName && !config.tied_head;
}

class Checkpoint {
 public:
  // A Hugging Face directory or a .gguf file. Error(kInput) says what is missing or wrong.
  static Checkpoint open(const std::filesystem::path& path);
  ~Checkpoint();
  Checkpoint(Checkpoint&&) noexcept;

  const ModelConfig& config() const;
  const std::string& format() const;                     // "safetensors" or "gguf", for reports
  const std::filesystem::path& path() const;             // the directory or file that was opened
  std::span<const std::filesystem::path> files() const;  // of weights: every shard or split part

  // Every tensor of the decoder that must exist for this config, by name, in model order. Views
  // stay valid as long as the checkpoint. The tied head is not listed.
  std::span<const TensorView> tensors() const;
  const TensorView* find(std::string_view name) const;  // null when this config has none
  // For those who go through a file once: this tensor will not be read again soon, and the pages
  // that map it may go. Rows that were put in order live in memory of our own and stay.
  void drop_pages(const TensorView& tensor) const;
  // For those who have made a copy: gives back all memory that this tensor takes, and leaves its
  // view empty. PRECONDITION: find(name) is not null.
  void release(std::string_view name);
  std::size_t reordered_bytes() const;      // held for rows that were put in order
  std::vector<std::string> unused() const;  // names in the file that nothing reads

  // The tokenizer, or nothing where the checkpoint has none (--ids works without). Error(kInput)
  // when texts can become ids that the embedding has no row for.
  std::optional<Tokenizer> tokenizer() const;
  // generation_config.json, or an empty object.
  Json generation_config() const;

 private:
  struct Impl;
  explicit Checkpoint(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Names and shapes of the tensors of a decoder with this config, in model order.
struct TensorSpec {
  std::string name;
  std::vector<std::size_t> shape;
};
std::vector<TensorSpec> decoder_tensors(const ModelConfig& config);

// GGUF's name of a Hugging Face tensor name ("blk.0.attn_q.weight").
std::string gguf_tensor_name(std::string_view hf_name);

}  // namespace laconic
