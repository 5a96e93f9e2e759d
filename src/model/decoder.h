// SPDX-License-Identifier: Apache-2.0
// The forward pass for a batch of sequences: prompt chunks and single new tokens mixed.
//
// Accumulates in f32. A row's result depends on its own sequence only, bit for bit: whether it is
// read as part of a prompt or generated, alone or in a batch, makes no difference.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/threads.h"
#include "kv/sequence_cache.h"
#include "model/weights.h"

namespace laconic {

enum class RowKind {
  kPrompt,  // tokens of the prompt: any number, not seen by the policy
  kDecode,  // generated tokens: one per step, queries observed by the policy
};
enum class LogitRows { kNone, kLast, kAll };

// Tokens of one sequence in this step. PRECONDITION: cache->reserve(ids.size()) was granted; a
// sequence occurs at most once in a batch; kDecode has exactly one id.
struct Segment {
  SequenceCache* cache = nullptr;
  std::span<const std::int32_t> ids;
  RowKind kind = RowKind::kPrompt;
  LogitRows logits = LogitRows::kLast;
};

class Decoder {
 public:
  Decoder(const Weights& weights, Threads& threads);
  ~Decoder();

  // Appends the rows, advances the positions, and gives the logits that were asked for, in segment
  // order: [logit rows][vocab]; valid until the next call. The caller then calls
  // cache->end_step() for decode segments. NaN or infinite values are an Error(kInput) that names
  // the first layer where they appear.
  std::span<const float> forward(std::span<const Segment> batch);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace laconic
