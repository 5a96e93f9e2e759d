// SPDX-License-Identifier: Apache-2.0
// Generation: sequences that share a model, a pool of cache rows and a batch.
//
// Add sequences, then call step() until none is running. Each step decodes one token for every
// running sequence and reads at most `batch_tokens` prompt tokens. Results do not depend on what
// else is in the batch, on chunking, or on the number of threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "laconic/kv_options.h"
#include "laconic/model.h"
#include "laconic/sampling_options.h"

namespace laconic {

struct SessionOptions {
  std::size_t threads = 0;         // 0: one per core
  std::size_t batch_tokens = 512;  // prompt tokens read per step
  std::size_t context = 0;         // longest sequence; 0: the model's
  std::size_t kv_memory = 0;  // bytes of pages for all sequences; 0: what is free, less a reserve
  KvOptions kv;
};

enum class FinishReason { kNone, kStop, kLength, kKvFull, kLoop, kCancelled };
std::string_view finish_reason_name(FinishReason reason);

struct GenerateOptions {
  std::int64_t max_tokens = -1;  // -1: until an end token or the context is full
  SamplingOptions sampling;
  std::vector<std::string> stop;          // texts that end the answer; they are not part of it
  std::vector<std::int32_t> stop_tokens;  // ids that end the answer, besides the model's own
  bool ignore_eos = false;
  bool stop_on_loop = false;            // end when the last tokens repeat themselves
  std::int64_t reasoning_budget = -1;   // tokens inside <think> before it is closed; -1: no limit
  bool reasoning_open = false;          // the prompt ends inside a <think> block
  std::vector<std::int32_t> force_ids;  // teacher forcing: generated ids are taken from here
  bool keep_logits = false;             // keep the logits of every step
};

struct KvStats {
  std::vector<std::vector<std::size_t>> rows;  // [layer][kv_head] rows held at the end
  std::size_t bytes = 0, allocated_bytes = 0, peak_bytes = 0, peak_allocated_bytes = 0;
  double mean_bytes = 0;
  std::size_t peak_rows = 0;  // most rows that one KV head held
  std::size_t compressions = 0;
};

struct Timings {
  std::size_t prompt_n = 0;     // prompt tokens read
  std::size_t predicted_n = 0;  // decode steps: the first token comes with the prompt
  double prompt_ms = 0, predicted_ms = 0,
         kv_ms = 0;  // kv_ms: the policy's own part of predicted_ms
};

struct Generation {
  std::vector<std::int32_t> prompt_ids, ids;
  std::string text, reasoning, answer;  // text = all of it; the stop text is left out
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

using KvTrace = std::function<void(SequenceId sequence, std::size_t step, std::size_t layer,
                                   std::size_t kv_head, std::span<const std::int32_t> kept)>;

class Session {
 public:
  Session(const Model& model, const SessionOptions& options = {});
  ~Session();
  Session(Session&&) noexcept;

  // Queues a prompt. Error(kUsage) for an empty prompt, unknown ids, or a prompt longer than the
  // context; Error(kResource) when the pool could never hold the prompt (both numbers).
  SequenceId add(std::span<const std::int32_t> prompt, const GenerateOptions& options = {});

  // The same sequence goes on with more text: its rows so far count as prompt. The previous
  // generation must have finished.
  void extend(SequenceId sequence, std::span<const std::int32_t> more,
              const GenerateOptions& options = {});

  // One step for all running sequences; false when nothing is left to do.
  bool step(const std::function<void(const StepEvent&)>& on_event = {});

  void cancel(SequenceId sequence);  // it ends with kCancelled at the next step
  const Generation& result(SequenceId sequence) const;
  void release(SequenceId sequence);  // gives its rows back; its result is gone

  // Convenience: add, step to the end, result.
  Generation generate(std::span<const std::int32_t> prompt, const GenerateOptions& options = {},
                      const std::function<void(const StepEvent&)>& on_event = {});

  void set_kv_trace(KvTrace trace);
  std::size_t kv_bytes_limit() const;
  std::size_t threads() const;

  struct Impl;

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace laconic
