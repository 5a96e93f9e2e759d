// SPDX-License-Identifier: Apache-2.0
// Generation: sequences that share a model, a pool of cache rows and a batch.
//
// Add sequences, then call step() until none is running. Each step decodes one token for every
// running sequence and reads at most `batch_tokens` prompt tokens. Results do not depend on what
// else is in the batch, on chunking, or on the number of threads. A finished sequence keeps its
// rows for extend() until it is released, or until others need the pages: the oldest give way
// first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "laconic/generation.h"
#include "laconic/kv_options.h"
#include "laconic/model.h"

namespace laconic {

struct SessionOptions {
  std::size_t threads = 0;         // 0: one per core
  std::size_t batch_tokens = 512;  // prompt tokens read per step
  std::size_t context = 0;         // longest sequence; 0: the model's
  // Bytes of pages and blocks for all sequences; 0: what is free, less a reserve.
  std::size_t kv_memory = 0;
  KvOptions kv;
};

using KvTrace = std::function<void(SequenceId sequence, std::size_t step, std::size_t layer,
                                   std::size_t kv_head, std::span<const std::int32_t> kept)>;

class Session {
 public:
  // The model must outlive the session.
  explicit Session(const Model& model, const SessionOptions& options = {});
  explicit Session(Model&& model, const SessionOptions& options = {}) = delete;
  ~Session();
  Session(Session&&) noexcept;

  // Queues a prompt. Error(kUsage) for an empty prompt, unknown ids, or a prompt longer than the
  // context; Error(kResource) when the pool could never hold the prompt (both numbers).
  SequenceId add(std::span<const std::int32_t> prompt, const GenerateOptions& options = {});

  // The same sequence goes on with more text: its rows so far count as prompt. Without more, an
  // answer that was cut short goes on; one whose last token was read already (max_tokens 0,
  // keep_logits) does so from the logits of that token. Error(kUsage) when its generation has not
  // finished, or when its rows had to give way to others.
  void extend(SequenceId sequence, std::span<const std::int32_t> more,
              const GenerateOptions& options = {});

  // One step for all running sequences; false when nothing is left to do. Events come after the
  // step's work; one that was not delivered because a callback threw comes with the next step.
  bool step(const std::function<void(const StepEvent&)>& on_event = {});

  void cancel(SequenceId sequence);  // it ends with kCancelled at the next step
  const Generation& result(SequenceId sequence) const;
  void release(SequenceId sequence);  // gives its rows back; its result is gone

  // Everything in a sequence's text so far, prompts and answers; valid until the next call.
  std::span<const std::int32_t> ids(SequenceId sequence) const;

  // Writes a finished sequence with its rows to a file, which is whole or as it was before. What
  // load() makes of it goes on as the sequence itself would, bit for bit. `note` is the caller's.
  // Error(kUsage) when its generation has not finished or when its rows had to give way.
  void save(SequenceId sequence, const std::filesystem::path& file,
            std::string_view note = {}) const;

  // The finished sequence of such a file, for extend(); its result tells only what the cache holds.
  // Finished sequences give way to it. Error(kInput) for what is no session of this model or is cut
  // short or damaged; Error(kUsage) for other cache options, with the first that differs, and for a
  // text longer than the context; Error(kResource) when the pool cannot hold its rows.
  SequenceId load(const std::filesystem::path& file, std::string* note = nullptr);

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
