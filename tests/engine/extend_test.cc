// SPDX-License-Identifier: Apache-2.0
// A sequence that goes on: whatever ended its answer, the rows held so far count as prompt and the
// schedule of RPC begins anew.
#include <gtest/gtest.h>

#include "engine/generation_compare.h"
#include "kv/schedule.h"
#include "laconic/error.h"

namespace laconic::test {
namespace {

constexpr std::size_t kWindow = 6, kInterval = 20;

class ExtendTest : public ::testing::Test {
 protected:
  ExtendTest() : session_(tiny_model(), options()) {
    session_.set_kv_trace([this](SequenceId, std::size_t step, std::size_t layer,
                                 std::size_t kv_head, std::span<const std::int32_t> kept) {
      if (layer == 1 && kv_head == 1) steps_.emplace_back(step, kept.size());
    });
  }

  // 128 rows per head and no more.
  static SessionOptions options() {
    SessionOptions options = f32_rows();
    options.kv = small_rpc(kInterval, kWindow, 5);
    const ModelInfo& info = tiny_model().info();
    options.kv_memory = 2 * 2 * 64 * info.head_dim * sizeof(float) * info.layers * info.kv_heads;
    return options;
  }

  void finish() {
    while (session_.step()) {
    }
  }

  // Goes on for `tokens` tokens, with the rows that the law gives to a prompt of all rows so far.
  void expect_new_schedule(SequenceId id, std::int64_t tokens) {
    const Generation before = session_.result(id);
    const auto more = random_ids(7, 2);
    steps_.clear();
    session_.extend(id, more, greedy(tokens));
    finish();
    const Generation& after = session_.result(id);
    EXPECT_EQ(after.finish_reason, FinishReason::kLength);
    ASSERT_EQ(after.ids.size(), static_cast<std::size_t>(tokens));
    // The last token of an answer was drawn and not read: it is read with the rest.
    const std::size_t unread = before.ids.empty() ? 0 : 1;
    EXPECT_EQ(after.timings.prompt_n, unread + more.size());
    const std::size_t prompt = before.kv.rows[0][0] + unread + more.size();
    const std::size_t read = static_cast<std::size_t>(tokens) - 1;
    for (const auto& layer : after.kv.rows) {
      for (const std::size_t rows : layer) {
        EXPECT_EQ(rows, Schedule::rows_after(options().kv, prompt, read));
      }
    }
    EXPECT_EQ(after.kv.peak_rows, Schedule::peak_rows(options().kv, prompt, read));
    // Triggers are counted from the new answer's first token, and keep the new prompt whole.
    std::vector<std::pair<std::size_t, std::size_t>> expected;
    for (std::size_t n = 1; kWindow + n * kInterval <= read; ++n) {
      expected.emplace_back(kWindow + n * kInterval, prompt + n * (kInterval / 5) + kWindow);
    }
    EXPECT_EQ(steps_, expected);
  }

  Session session_;
  std::vector<std::pair<std::size_t, std::size_t>> steps_;  // (step, rows kept) of one head
};

TEST_F(ExtendTest, AfterItsLength) {
  // Before, at and after triggers of the first answer.
  for (const std::int64_t tokens : {1, 5, 26, 27, 28, 50}) {
    const SequenceId id = session_.add(random_ids(10, 1), greedy(tokens));
    finish();
    EXPECT_EQ(session_.result(id).finish_reason, FinishReason::kLength);
    expect_new_schedule(id, 50);
    session_.release(id);
  }
}

TEST_F(ExtendTest, AfterAStop) {
  GenerateOptions generate = greedy(40);
  SequenceId id = session_.add(random_ids(10, 1), generate);
  finish();
  generate.stop_tokens = {session_.result(id).ids.back()};
  session_.release(id);
  id = session_.add(random_ids(10, 1), generate);
  finish();
  EXPECT_EQ(session_.result(id).finish_reason, FinishReason::kStop);
  expect_new_schedule(id, 50);
}

TEST_F(ExtendTest, AfterCancelling) {
  const SequenceId id = session_.add(random_ids(10, 1), greedy(1000));
  for (int i = 0; i < 33; ++i) session_.step();
  session_.cancel(id);
  finish();
  EXPECT_EQ(session_.result(id).finish_reason, FinishReason::kCancelled);
  EXPECT_EQ(session_.result(id).ids.size(), 33u);
  expect_new_schedule(id, 50);
}

TEST_F(ExtendTest, AfterTheCacheWasFullThereIsNoRoom) {
  const SequenceId id = session_.add(random_ids(110, 1), greedy(60));
  finish();
  EXPECT_EQ(session_.result(id).finish_reason, FinishReason::kKvFull);
  EXPECT_EQ(session_.result(id).kv.rows[2][1], 128u);
  EXPECT_EQ(session_.result(id).ids.size(), 128u - 110u + 1u);
  try {
    session_.extend(id, random_ids(3, 2), greedy(4));
    FAIL() << "132 rows in a pool of 128";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kResource);
    EXPECT_NE(std::string(error.what()).find("132 rows"), std::string::npos) << error.what();
  }
  EXPECT_EQ(session_.result(id).ids.size(), 19u) << "a refusal leaves the result as it was";
  session_.release(id);
  EXPECT_EQ(session_.generate(random_ids(40, 1), greedy(60)).finish_reason, FinishReason::kLength);
}

// Rows that others needed are gone, and with them the way to go on.
TEST_F(ExtendTest, RefusesASequenceWhoseRowsGaveWay) {
  const SequenceId first = session_.add(random_ids(40, 1), greedy(1));
  finish();
  const SequenceId second = session_.add(random_ids(50, 2), greedy(60));
  finish();
  EXPECT_EQ(session_.result(second).finish_reason, FinishReason::kLength);
  EXPECT_THROW(session_.extend(first, random_ids(3, 2), greedy(4)), Error);
  expect_new_schedule(second, 30);
}

TEST_F(ExtendTest, TwiceMore) {
  const SequenceId id = session_.add(random_ids(10, 1), greedy(30));
  finish();
  expect_new_schedule(id, 30);
  expect_new_schedule(id, 30);
}

TEST_F(ExtendTest, RefusesASequenceThatRunsAndOneThatIsGone) {
  const SequenceId id = session_.add(random_ids(10, 1), greedy(30));
  session_.step();
  EXPECT_THROW(session_.extend(id, random_ids(3, 2), greedy(4)), Error);
  finish();
  session_.release(id);
  EXPECT_THROW(session_.extend(id, random_ids(3, 2), greedy(4)), Error);
}

}  // namespace
}  // namespace laconic::test
