// SPDX-License-Identifier: Apache-2.0
// One sequence of a session: its prompt, its cache, what it has generated, and why it ended.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "engine/answer_text.h"
#include "engine/model_impl.h"
#include "engine/sampler.h"
#include "engine/session_file.h"
#include "kv/sequence_cache.h"
#include "laconic/generation.h"
#include "model/decoder.h"

namespace laconic {

class Sequence {
 public:
  enum class Phase { kWaiting, kPrompt, kDecode, kDone };

  Sequence(const Model::Impl& model, std::size_t context);

  // A new answer, or more of the last one: `prompt` is read after what the cache holds.
  void start(std::span<const std::int32_t> prompt, const GenerateOptions& options);

  // What a session file keeps beside the rows, and the way back from there: a finished answer.
  // PRECONDITION of restore(): the cache holds the rows of `text`.
  const std::vector<std::int32_t>& history() const { return history_; }
  std::size_t read() const { return unread_; }
  const std::vector<float>& last_logits() const { return last_logits_; }
  void restore(const SavedText& text);

  // The prompt tokens that are not read yet, or the one token to decode next.
  std::span<const std::int32_t> pending() const;
  bool prompt_read(std::size_t tokens);  // true when it is read to its end
  // After the prompt: False when the cache has no room for what a generation holds from the start.
  bool begin();
  // Admitted with nothing left to read: after begin(), the next token comes from the logits of the
  // answer before.
  bool read_before() const { return unread_ == history_.size(); }
  void go_on(StepEvent& event);
  // Logits after the prompt or after a decode step: takes the next token, and perhaps ends.
  void logits_ready(std::span<const float> logits, StepEvent& event);
  void decoded();
  void add_time(RowKind kind, double ms);
  void end(FinishReason reason, StepEvent& event);
  void end_kv_full(StepEvent& event);
  void abandon();    // a step failed halfway: the rows are not consistent any more
  void drop_rows();  // others need the pages: it cannot go on after this
  bool can_go_on() const { return phase == Phase::kDone && (cache || unread_ == 0); }
  void request_cancel() { cancelled_ = phase != Phase::kDone; }
  bool cancel_requested() const { return cancelled_; }

  // What the policy's law is asked with: rows that will count as prompt, and tokens at most.
  std::size_t prompt_rows() const;
  std::size_t most_tokens() const;

  Phase phase = Phase::kWaiting;
  std::optional<SequenceCache> cache;
  Generation result;
  std::size_t admitted_bytes = 0;  // its peak by the policy's law when it was let in

 private:
  std::int32_t choose(std::span<const float> logits);
  bool ends_answer(std::int32_t id) const;
  FinishReason reason_to_end(std::int32_t id) const;
  void check(std::span<const std::int32_t> prompt, const GenerateOptions& options) const;
  void force_reasoning_end();
  void note_peak_rows();
  void collect_kv_stats();

  const Model::Impl& model_;
  std::size_t context_;
  GenerateOptions options_;
  std::optional<Sampler> sampler_;
  std::optional<AnswerText> text_;
  std::vector<std::int32_t> history_;  // everything in the text so far, prompt and answers
  std::size_t unread_ = 0;             // history_ from here on is not in the cache
  std::vector<float> last_logits_;     // where all is read and nothing was made of them; else empty
  std::deque<std::int32_t> forced_;    // ids that the reasoning budget puts in
  std::int64_t reasoning_tokens_ = 0;
  bool reasoning_closed_ = false;
  bool ending_ = false;  // keep_logits: the last token is read for its logits
  FinishReason ending_reason_ = FinishReason::kNone;
  bool cancelled_ = false;
};

}  // namespace laconic
