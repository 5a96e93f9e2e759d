// SPDX-License-Identifier: Apache-2.0
#include "train/stream.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "expect_error.h"

namespace laconic::train {
namespace {

// Text i holds i, then the tokens before it, then zeros up to a length that i decides.
class CountingSource : public TextSource {
 public:
  explicit CountingSource(std::size_t longest) : longest_(longest) {}
  TrainingText text(std::uint64_t index, std::uint64_t tokens_before) const override {
    TrainingText text;
    text.id = "text " + std::to_string(index);
    text.ids.assign(2 + index * 7 % (longest_ - 1), 0);
    text.ids[0] = static_cast<std::int32_t>(index);
    text.ids[1] = static_cast<std::int32_t>(tokens_before);
    text.loss_start = 1;
    return text;
  }
  std::size_t vocab_size() const override { return 1000; }
  std::string fingerprint() const override { return "counting"; }

 private:
  std::size_t longest_;
};

class FixedSource : public TextSource {
 public:
  FixedSource(std::vector<std::int32_t> ids, std::size_t loss_start)
      : text_{"the text", std::move(ids), loss_start} {}
  TrainingText text(std::uint64_t, std::uint64_t) const override { return text_; }
  std::size_t vocab_size() const override { return 10; }
  std::string fingerprint() const override { return "fixed"; }

 private:
  TrainingText text_;
};

TEST(NextBatch, LearnsTheAnswerAndNeverAcrossTexts) {
  const FixedSource source({1, 2, 3, 4, 5}, 3);
  const TextBatch batch = next_batch(source, {12}, {});
  EXPECT_EQ(batch.ids, (std::vector<std::int64_t>{1, 2, 3, 4, 5, 1, 2, 3, 4, 5}));
  EXPECT_EQ(batch.targets, (std::vector<std::int64_t>{-1, -1, 4, 5, -1, -1, -1, 4, 5, -1}));
  EXPECT_EQ(batch.positions, (std::vector<std::int64_t>{0, 1, 2, 3, 4, 0, 1, 2, 3, 4}));
  EXPECT_EQ(batch.starts, (std::vector<std::int64_t>{0, 5, 10}));
  EXPECT_EQ(batch.after, (StreamState{2, 10}));
}

TEST(NextBatch, LearnsThePromptToo) {
  const TextBatch batch = next_batch(FixedSource({1, 2, 3}, 0), {3}, {});
  EXPECT_EQ(batch.targets, (std::vector<std::int64_t>{2, 3, -1}));
}

TEST(NextBatch, RefusesATextThatFitsNoBatch) {
  test::expect_error(
      [] {
        next_batch(FixedSource({1, 2, 3, 4, 5}, 1), {4}, {});
      },
      ErrorKind::kInput, {"the text", "5 tokens", "4", "batch_tokens"});
  test::expect_error(
      [] {
        next_batch(FixedSource({1, 2, 3, 4, 5}, 1), {8, 4}, {});
      },
      ErrorKind::kInput, {"the text", "5 tokens", "4", "max_position_embeddings"});
}

TEST(NextBatch, RefusesATextWithoutAnythingToLearn) {
  test::expect_error(
      [] {
        next_batch(FixedSource({1, 2}, 2), {4}, {});
      },
      ErrorKind::kInput, {"nothing to learn"});
}

RC_GTEST_PROP(StreamProperty, ReadsEveryTextOnceInOrderFromAnyState, ()) {
  const CountingSource source(20);
  const auto batch_tokens = *rc::gen::inRange<std::size_t>(20, 100);
  const auto batches = *rc::gen::inRange<std::size_t>(1, 20);
  Stream stream(source, {batch_tokens}, {});
  StreamState state;
  std::uint64_t text = 0, tokens = 0;
  for (std::size_t i = 0; i < batches; ++i) {
    const TextBatch batch = stream.next();
    RC_ASSERT(next_batch(source, {batch_tokens}, state).ids == batch.ids);
    RC_ASSERT(batch.ids.size() <= batch_tokens);
    RC_ASSERT(batch.starts.size() >= 2u);
    for (std::size_t t = 0; t + 1 < batch.starts.size(); ++t) {
      const auto begin = static_cast<std::size_t>(batch.starts[t]);
      RC_ASSERT(batch.ids[begin] == static_cast<std::int64_t>(text));
      RC_ASSERT(batch.ids[begin + 1] == static_cast<std::int64_t>(tokens));
      tokens += static_cast<std::uint64_t>(batch.starts[t + 1] - batch.starts[t]);
      ++text;
    }
    state = batch.after;
    RC_ASSERT(state == (StreamState{text, tokens}));
  }
}

}  // namespace
}  // namespace laconic::train
