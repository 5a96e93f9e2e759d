// SPDX-License-Identifier: Apache-2.0
// The order in which a run reads its texts, as batches of whole texts.
//
// Text i of a run is a pure function of i and of the tokens before it (which set the curriculum's
// difficulty), so the whole state is two numbers, and a run that resumes reads what an undisturbed
// one reads. Texts are taken in order while they fit; the first that does not fit opens the next
// batch. A text that is longer than a batch or than the model's context is refused by its id.
#pragma once

#include <cstddef>
#include <cstdint>
#include <future>
#include <limits>
#include <string>
#include <vector>

namespace laconic::train {

struct TrainingText {
  std::string id;
  std::vector<std::int32_t> ids;  // prompt, answer, end token
  std::size_t loss_start = 0;     // first place in `ids` that is learned
};

// How long a text may be.
struct TextLimits {
  std::size_t batch_tokens = 0;
  std::size_t context = std::numeric_limits<std::size_t>::max();  // max_position_embeddings
};

// Error(kInput) names the text and the recipe's field that is too small for it.
void check_length(const std::string& id, std::size_t tokens, const TextLimits& limits);

class TextSource {
 public:
  virtual ~TextSource() = default;
  // Called from one thread at a time, not always the same.
  virtual TrainingText text(std::uint64_t index, std::uint64_t tokens_before) const = 0;
  virtual std::size_t vocab_size() const = 0;
  // What tells this source from another whose recipe reads the same.
  virtual std::string fingerprint() const = 0;
  // Share of the full difficulty at this place; 1 where the source knows none.
  virtual double difficulty(std::uint64_t tokens_before) const;
  // Refuses texts beyond `limits`, as many as can be seen before the run: all of them, some, or
  // none. The batches refuse the others.
  virtual void check(const TextLimits& limits) const;
};

struct StreamState {
  std::uint64_t next_text = 0;  // the next batch begins with it
  std::uint64_t tokens = 0;     // in all batches so far

  bool operator==(const StreamState&) const = default;
};

// A batch on the host: see PackedBatch.
struct TextBatch {
  std::vector<std::int64_t> ids, targets, positions;  // [tokens]
  std::vector<std::int64_t> starts;                   // [texts + 1]
  StreamState after;                                  // where the next batch begins
};

TextBatch next_batch(const TextSource& source, const TextLimits& limits, const StreamState& from);

// Makes one batch ahead on a thread of its own, so that a fast device does not wait for texts.
class Stream {
 public:
  Stream(const TextSource& source, const TextLimits& limits, const StreamState& from);
  TextBatch next();

 private:
  void begin(const StreamState& from);
  const TextSource& source_;
  TextLimits limits_;
  std::future<TextBatch> ahead_;
};

}  // namespace laconic::train
