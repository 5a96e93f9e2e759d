// SPDX-License-Identifier: Apache-2.0
// What `laconic run` was asked to do. Everything that can be checked without a model is checked by
// check(), so that a typing error costs no loading time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/kv_flags.h"
#include "cli/machine_flags.h"
#include "cli/sampling_flags.h"
#include "laconic/model.h"
#include "laconic/session.h"

namespace laconic::cli {

struct RunOptions {
  std::string model;
  std::optional<std::string> prompt, file, ids;  // exactly one; none in a conversation
  std::optional<std::string> system;
  bool conversation = false, single_turn = false;
  bool raw = false;  // the prompt is plain text, not a chat message
  std::string template_file;
  std::string reasoning = "auto";

  std::int64_t max_tokens = -1;  // -1: until the end
  std::int64_t reasoning_budget = -1;
  std::vector<std::string> stop, stop_tokens;
  bool ignore_eos = false, stop_on_loop = false;
  std::optional<std::string> force_ids;

  std::size_t context = 0, batch_tokens = 512;
  std::string kv_memory, quantize;
  bool json = false;
  std::string logits_out, kv_trace;
  std::string session;  // the file that text and cache are kept in; empty: none

  KvFlags kv;
  SamplingFlags sampling;
  MachineFlags machine;

  void declare(CLI::App& app);
  void check() const;

  ModelOptions model_options() const;
  SessionOptions session_options() const;
  // Without the prompt's own part (reasoning_open).
  GenerateOptions generate_options(const Model& opened) const;

 private:
  std::vector<std::int32_t> stop_token_ids() const;
};

// The ids that an answer starts from.
struct Prompt {
  std::string text;  // what the ids say; empty where they were given as ids
  std::vector<std::int32_t> ids;
  bool reasoning_open = false;  // they end inside a <think> block
};

// The prompt of a single answer: ids as given, plain text, or a chat message through the template.
Prompt make_prompt(const Model& model, const RunOptions& options);

// A conversation so far, through the template, ready for the next answer.
Prompt make_chat_prompt(const Model& model, const std::vector<ChatMessage>& messages,
                        const RunOptions& options);

// The text of -p or -f. PRECONDITION: one of them was given.
std::string prompt_text(const RunOptions& options);

}  // namespace laconic::cli
