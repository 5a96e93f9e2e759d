// SPDX-License-Identifier: Apache-2.0
// What one generation is asked for, and what it gives.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "laconic/sampling_options.h"

namespace laconic {

enum class FinishReason { kNone, kStop, kLength, kKvFull, kLoop, kCancelled };
std::string_view finish_reason_name(FinishReason reason);

struct GenerateOptions {
  std::int64_t max_tokens = -1;  // -1: until an end token or the context is full
  SamplingOptions sampling;
  std::vector<std::string> stop;          // texts that end the answer; they are not part of it
  std::vector<std::int32_t> stop_tokens;  // ids that end the answer, besides the model's own
  bool ignore_eos = false;
  bool stop_on_loop = false;           // end when the last tokens repeat themselves
  std::int64_t reasoning_budget = -1;  // tokens inside <think> before it is closed; -1: no limit
  bool reasoning_open = false;         // the prompt ends inside a <think> block
  // An answer that was cut short goes on: so many ids at the end of the sequence's text are its
  // beginning. Characters and tags that the cut went through become whole again.
  std::size_t answered = 0;
  // Teacher forcing: generated ids are taken from here, all of them; no other end is allowed.
  std::vector<std::int32_t> force_ids;
  bool keep_logits = false;  // keep the logits of every step
  // Hears the logits of every step, [vocab]; they are gone when it returns. What it throws ends the
  // generation. It must not call the session.
  std::function<void(std::span<const float> logits)> on_logits;
};

// Of this generation alone, also when the sequence goes on from an earlier one.
struct KvStats {
  std::vector<std::vector<std::size_t>> rows;  // [layer][kv_head] rows held at the end
  std::size_t bytes = 0, allocated_bytes = 0, peak_bytes = 0, peak_allocated_bytes = 0;
  double mean_bytes = 0;
  std::size_t peak_rows = 0;  // most rows that one KV head held
  std::size_t compressions = 0;
};

struct Timings {
  std::size_t prompt_n = 0;      // prompt tokens read
  std::size_t decode_steps = 0;  // the first token comes with the prompt
  double prompt_ms = 0;
  double predicted_ms = 0;  // decode steps as a whole: forward pass, policy, sampling
  double kv_ms = 0;         // compressions: ranking and moving rows, an open prompt's included
};

struct Generation {
  std::vector<std::int32_t> prompt_ids, ids;
  std::string text, reasoning, answer;  // text = all of it; the stop text is left out
  std::string before;  // of an answer that went on: its text so far, to which `text` is added
  FinishReason finish_reason = FinishReason::kNone;
  KvStats kv;
  Timings timings;
  std::vector<std::vector<float>> logits;  // [1 + generated][vocab] when keep_logits
};

using SequenceId = std::size_t;

// What a step produced for one sequence. Text pieces are whole UTF-8 characters.
struct StepEvent {
  SequenceId sequence = 0;
  std::optional<std::int32_t> id;
  std::string reasoning, answer;  // newly shown text
  FinishReason finished = FinishReason::kNone;
};

}  // namespace laconic
