// SPDX-License-Identifier: Apache-2.0
// A model ready to decode: weights, tokenizer, chat template.
//
// Opens Hugging Face directories and GGUF files of Llama, Qwen2 and Qwen3 models. Immutable after
// opening; several sessions may use one model.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "laconic/sampling_options.h"

namespace laconic {

struct ModelOptions {
  std::string quantize;       // "", "q8_0" or "q4_0": quantise matrices while loading
  std::string chat_template;  // Jinja source that replaces the checkpoint's; empty: keep
  std::size_t threads = 0;    // that quantise and pack while loading; 0: one per core
};

// One message of a conversation. Roles are the template's: "system", "user", "assistant".
struct ChatMessage {
  std::string role;
  std::string content;
};

struct ModelInfo {
  std::string name, architecture, format;
  std::size_t layers = 0, hidden = 0, heads = 0, kv_heads = 0, head_dim = 0;
  std::size_t vocab = 0, context = 0, parameters = 0, weight_bytes = 0;
  std::vector<std::string> not_quantized;  // matrices that `quantize` had to leave as they were
};

enum class Reasoning { kAuto, kOn, kOff };

class Model {
 public:
  static Model open(const std::filesystem::path& path, const ModelOptions& options = {});
  ~Model();
  Model(Model&&) noexcept;

  const ModelInfo& info() const;

  // What the checkpoint recommends: generation_config.json when it says do_sample, else greedy.
  SamplingOptions default_sampling() const;

  bool has_tokenizer() const;

  // Error(kInput) when the checkpoint has no tokenizer.
  std::vector<std::int32_t> tokenize(std::string_view text, bool add_special = true) const;
  std::string detokenize(std::span<const std::int32_t> ids, bool skip_special = false) const;

  // The prompt text that the chat template makes of a conversation, ready for the answer.
  bool has_chat_template() const;
  std::string apply_chat_template(std::span<const ChatMessage> messages,
                                  Reasoning reasoning = Reasoning::kAuto) const;

  struct Impl;
  const Impl& impl() const { return *impl_; }

 private:
  explicit Model(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace laconic
