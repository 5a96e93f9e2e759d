// SPDX-License-Identifier: Apache-2.0
// What callers may do to a session without harm: throw, release, trace late, ask for too much.
#include <gtest/gtest.h>

#include <stdexcept>

#include "engine/engine_testing.h"
#include "laconic/error.h"

namespace laconic::test {
namespace {

const std::vector<std::int32_t> kPrompt{5, 6, 7, 8}, kOther{8, 7, 6, 5};

SessionOptions with_pages_for(std::size_t rows) {
  SessionOptions options = f32_rows();
  const ModelInfo& info = tiny_model().info();
  options.kv_memory =
      (rows + 63) / 64 * 64 * 2 * info.head_dim * sizeof(float) * info.layers * info.kv_heads;
  return options;
}

void run_to_end(Session& session) {
  while (session.step()) {
  }
}

TEST(SessionRobustness, AThrowingCallbackHarmsNobody) {
  Session session(tiny_model(), f32_rows());
  const SequenceId first = session.add(kPrompt, greedy(12));
  const SequenceId second = session.add(kOther, greedy(12));
  std::size_t thrown = 0;
  std::map<SequenceId, std::size_t> heard;
  const auto on_event = [&](const StepEvent& event) {
    heard[event.sequence] += event.id.has_value();
    if (event.sequence == first && thrown == 0) {
      ++thrown;
      throw std::runtime_error("caller");
    }
  };
  bool more = true;
  while (more) {
    try {
      more = session.step(on_event);
    } catch (const std::runtime_error&) {
    }
  }
  EXPECT_EQ(thrown, 1u);
  EXPECT_EQ(heard[first], 12u);
  EXPECT_EQ(heard[second], 12u);
  for (const SequenceId id : {first, second}) {
    Session alone(tiny_model(), f32_rows());
    const Generation want = alone.generate(session.result(id).prompt_ids, greedy(12));
    EXPECT_EQ(session.result(id).ids, want.ids);
    EXPECT_EQ(session.result(id).kv.rows, want.kv.rows);
  }
}

TEST(SessionRobustness, AThrowingTraceEndsItsSequenceOnly) {
  SessionOptions options = f32_rows();
  options.kv = small_rpc(16, 4, 4);
  Session session(tiny_model(), options);
  const SequenceId bad = session.add(kPrompt, greedy(60));
  const SequenceId good = session.add(kOther, greedy(60));
  session.set_kv_trace(
      [&](SequenceId id, std::size_t, std::size_t, std::size_t, std::span<const std::int32_t>) {
        if (id == bad) throw std::runtime_error("disk full");
      });
  EXPECT_THROW(run_to_end(session), std::runtime_error);
  run_to_end(session);
  EXPECT_EQ(session.result(bad).finish_reason, FinishReason::kNone);
  EXPECT_EQ(session.result(good).finish_reason, FinishReason::kLength);
  EXPECT_EQ(session.result(good).kv.compressions, 3u);
  EXPECT_THROW(session.extend(bad, kPrompt, greedy(1)), Error);
}

TEST(SessionRobustness, TraceMayComeAndGo) {
  SessionOptions options = f32_rows();
  options.kv = small_rpc(16, 4, 4);
  Session session(tiny_model(), options);
  const SequenceId id = session.add(kPrompt, greedy(70));
  session.step();
  std::size_t calls = 0;
  session.set_kv_trace([&](SequenceId, std::size_t, std::size_t, std::size_t,
                           std::span<const std::int32_t>) { ++calls; });
  while (session.step() && calls == 0) {
  }
  EXPECT_GT(calls, 0u);
  session.set_kv_trace({});
  run_to_end(session);
  EXPECT_EQ(session.result(id).kv.compressions, 4u);
}

TEST(SessionRobustness, FinishedSequencesGiveWayToWaitingOnes) {
  Session session(tiny_model(), with_pages_for(64));
  const SequenceId first = session.add(kPrompt, greedy(20));
  const SequenceId second = session.add(kPrompt, greedy(20));
  run_to_end(session);
  EXPECT_EQ(session.result(first).finish_reason, FinishReason::kLength);
  EXPECT_EQ(session.result(second).finish_reason, FinishReason::kLength);
  EXPECT_EQ(session.result(first).ids, session.result(second).ids);
  EXPECT_THROW(session.extend(first, kPrompt, greedy(5)), Error);  // its rows are gone
  session.extend(second, kPrompt, greedy(5));
  run_to_end(session);
  EXPECT_EQ(session.result(second).ids.size(), 5u);
}

TEST(SessionRobustness, PromisedPagesAreKeptFromThoseThatGoOn) {
  Session session(tiny_model(), with_pages_for(256));
  const SequenceId first = session.add(std::vector<std::int32_t>(100, 3), greedy(1));
  run_to_end(session);
  const SequenceId second = session.add(kPrompt, greedy(240));  // its peak is the whole pool
  for (int i = 0; i < 5; ++i) session.step();
  EXPECT_THROW(session.extend(first, kOther, greedy(5)), Error);
  run_to_end(session);
  EXPECT_EQ(session.result(second).ids.size(), 240u);
  EXPECT_EQ(session.result(first).ids.size(), 1u);  // what it had is not lost
}

TEST(SessionRobustness, StatisticsAreOfOneAnswer) {
  SessionOptions options = f32_rows();
  options.kv = small_rpc(16, 4, 4);
  Session session(tiny_model(), options);
  const SequenceId id = session.add(kPrompt, greedy(100));
  run_to_end(session);
  const KvStats long_answer = session.result(id).kv;
  EXPECT_EQ(long_answer.compressions, 5u);
  session.extend(id, kPrompt, greedy(3));
  run_to_end(session);
  EXPECT_EQ(session.result(id).kv.compressions, 0u);
  EXPECT_LE(session.result(id).timings.kv_ms, session.result(id).timings.predicted_ms);
  EXPECT_GT(session.result(id).kv.mean_bytes, 0.0);
}

TEST(SessionRobustness, TheSameSeedGivesTheSameText) {
  GenerateOptions options = greedy(20);
  options.sampling.temperature = 1.0;
  options.sampling.seed = 5;
  Session session(tiny_model(), f32_rows());
  const auto ids = session.generate(kPrompt, options).ids;
  EXPECT_EQ(session.generate(kPrompt, options).ids, ids);
  options.sampling.stream = 1;
  EXPECT_NE(session.generate(kPrompt, options).ids, ids);
}

TEST(SessionRobustness, GenerateCleansUpWhenTheCallerThrows) {
  Session session(tiny_model(), with_pages_for(64));
  std::size_t tokens = 0;
  EXPECT_THROW(session.generate(kPrompt, greedy(20),
                                [&](const StepEvent&) {
                                  if (++tokens == 3) throw std::runtime_error("caller");
                                }),
               std::runtime_error);
  EXPECT_EQ(session.generate(kPrompt, greedy(20)).ids.size(), 20u);
}

TEST(SessionRobustness, ReleaseInsideACallback) {
  Session session(tiny_model(), f32_rows());
  for (int i = 0; i < 3; ++i) session.add(kPrompt, greedy(4 + i));
  std::size_t finished = 0;
  while (session.step([&](const StepEvent& event) {
    if (event.finished == FinishReason::kNone) return;
    session.release(event.sequence);
    ++finished;
  })) {
  }
  EXPECT_EQ(finished, 3u);
}

TEST(SessionRobustness, TheLastLogitsDoNotChangeTheReason) {
  // 64 rows: 4 of the prompt and 60 tokens; the 61st has no row and so no logits after it.
  GenerateOptions options = greedy(61);
  options.keep_logits = true;
  Session session(tiny_model(), with_pages_for(64));
  const Generation got = session.generate(kPrompt, options);
  EXPECT_EQ(got.ids.size(), 61u);
  EXPECT_EQ(got.finish_reason, FinishReason::kLength);
}

TEST(SessionRobustness, ForcedIdsTakeNoOtherEnd) {
  GenerateOptions options;
  options.force_ids = kPrompt;
  options.stop_on_loop = true;
  Session session(tiny_model(), f32_rows());
  EXPECT_THROW(session.add(kPrompt, options), Error);
}

}  // namespace
}  // namespace laconic::test
