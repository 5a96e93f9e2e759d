// SPDX-License-Identifier: Apache-2.0
#include "train/stream.h"

#include "base/error.h"

namespace laconic::train {
namespace {

constexpr std::int64_t kNotLearned = -1;

void append(const TrainingText& text, TextBatch& batch) {
  for (std::size_t i = 0; i < text.ids.size(); ++i) {
    const bool learned = i + 1 < text.ids.size() && i + 1 >= text.loss_start;
    batch.ids.push_back(text.ids[i]);
    batch.targets.push_back(learned ? text.ids[i + 1] : kNotLearned);
    batch.positions.push_back(static_cast<std::int64_t>(i));
  }
  batch.starts.push_back(static_cast<std::int64_t>(batch.ids.size()));
}

}  // namespace

double TextSource::difficulty(std::uint64_t) const { return 1.0; }

void TextSource::check(const TextLimits&) const {}

void check_length(const std::string& id, std::size_t tokens, const TextLimits& limits) {
  if (tokens > limits.batch_tokens) {
    throw_input("the text {} has {} tokens, but a batch holds {}: raise \"batch_tokens\"", id,
                tokens, limits.batch_tokens);
  }
  if (tokens > limits.context) {
    throw_input("the text {} has {} tokens, more than \"max_position_embeddings\", {}", id, tokens,
                limits.context);
  }
}

TextBatch next_batch(const TextSource& source, const TextLimits& limits, const StreamState& from) {
  TextBatch batch;
  batch.starts.push_back(0);
  batch.after = from;
  for (;;) {
    const TrainingText text = source.text(batch.after.next_text, batch.after.tokens);
    if (text.loss_start >= text.ids.size() || text.ids.size() < 2) {
      throw_input("the text {} has nothing to learn", text.id);
    }
    check_length(text.id, text.ids.size(), limits);
    if (batch.ids.size() + text.ids.size() > limits.batch_tokens) return batch;
    append(text, batch);
    ++batch.after.next_text;
    batch.after.tokens += text.ids.size();
  }
}

Stream::Stream(const TextSource& source, const TextLimits& limits, const StreamState& from)
    : source_(source), limits_(limits) {
  begin(from);
}

void Stream::begin(const StreamState& from) {
  ahead_ =
      std::async(std::launch::async, [this, from] { return next_batch(source_, limits_, from); });
}

TextBatch Stream::next() {
  TextBatch batch = ahead_.get();
  begin(batch.after);
  return batch;
}

}  // namespace laconic::train
