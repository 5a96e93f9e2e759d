// SPDX-License-Identifier: Apache-2.0
// The session's promises: independence from batch, chunks and threads; ends, refusals, going on.
#include "laconic/session.h"

#include <gtest/gtest.h>

#include "engine/engine_testing.h"
#include "laconic/error.h"

namespace laconic::test {
namespace {

std::vector<std::int32_t> some_ids(std::size_t count, std::uint32_t seed) {
  std::vector<std::int32_t> ids;
  for (std::size_t i = 0; i < count; ++i) {
    seed = seed * 1664525u + 1013904223u;
    ids.push_back(static_cast<std::int32_t>(seed >> 8) %
                  static_cast<std::int32_t>(tiny_model().info().vocab));
  }
  return ids;
}

GenerateOptions with_logits(std::int64_t tokens) {
  GenerateOptions options = greedy(tokens);
  options.keep_logits = true;
  return options;
}

void expect_equal(const Generation& a, const Generation& b) {
  ASSERT_EQ(a.ids, b.ids);
  EXPECT_EQ(a.logits, b.logits);
}

TEST(Session, ChunkedPromptEqualsOneShot) {
  const auto prompt = some_ids(150, 1);
  SessionOptions options = f32_rows();
  Session whole(tiny_model(), options);
  const Generation want = whole.generate(prompt, with_logits(8));
  for (const std::size_t chunk : {1u, 7u, 64u, 149u}) {
    options.batch_tokens = chunk;
    Session chunked(tiny_model(), options);
    expect_equal(chunked.generate(prompt, with_logits(8)), want);
  }
}

TEST(Session, InABatchEqualsAlone) {
  for (const KvOptions& kv : {f32_rows().kv, small_rpc(16, 4, 4, KvGranularity::kKvHead)}) {
    SessionOptions options = f32_rows();
    options.kv = kv;
    options.batch_tokens = 16;
    Session batch(tiny_model(), options);
    std::vector<SequenceId> ids;
    for (std::size_t i = 0; i < 5; ++i) {
      ids.push_back(batch.add(some_ids(3 + 11 * i, static_cast<std::uint32_t>(i)),
                              with_logits(static_cast<std::int64_t>(20 + 9 * i))));
    }
    while (batch.step()) {
    }
    for (std::size_t i = 0; i < 5; ++i) {
      Session alone(tiny_model(), options);
      const Generation want = alone.generate(some_ids(3 + 11 * i, static_cast<std::uint32_t>(i)),
                                             with_logits(static_cast<std::int64_t>(20 + 9 * i)));
      expect_equal(batch.result(ids[i]), want);
      EXPECT_EQ(batch.result(ids[i]).kv.rows, want.kv.rows);
    }
  }
}

TEST(Session, ThreadsDoNotMatter) {
  const auto prompt = some_ids(40, 5);
  Session one(tiny_model(), f32_rows(1)), two(tiny_model(), f32_rows(2)),
      three(tiny_model(), f32_rows(3));
  const Generation want = one.generate(prompt, with_logits(30));
  expect_equal(two.generate(prompt, with_logits(30)), want);
  expect_equal(three.generate(prompt, with_logits(30)), want);
}

TEST(Session, SecondGenerationEqualsAFreshSession) {
  SessionOptions options = f32_rows();
  options.kv = small_rpc(16, 8, 4);
  Session used(tiny_model(), options);
  // Ends inside the window before a trigger: its queries must not leak into the next generation.
  used.generate(some_ids(9, 1), greedy(22));
  const Generation got = used.generate(some_ids(12, 2), with_logits(60));
  Session fresh(tiny_model(), options);
  const Generation want = fresh.generate(some_ids(12, 2), with_logits(60));
  EXPECT_EQ(got.ids, want.ids);
  EXPECT_EQ(got.logits, want.logits);
}

TEST(Session, SampledDrawsAreKeyedBySequenceNotByBatch) {
  GenerateOptions options = greedy(25);
  options.sampling.temperature = 1.0;
  options.sampling.seed = 11;
  Session a(tiny_model(), f32_rows());
  const SequenceId first = a.add(some_ids(4, 1), options);
  const SequenceId second = a.add(some_ids(30, 2), options);
  while (a.step()) {
  }
  Session b(tiny_model(), f32_rows());
  const Generation alone = b.generate(some_ids(4, 1), options);
  EXPECT_EQ(a.result(first).ids, alone.ids);
  EXPECT_NE(a.result(second).ids, alone.ids);
  options.sampling.seed = 12;
  Session c(tiny_model(), f32_rows());
  EXPECT_NE(c.generate(some_ids(4, 1), options).ids, alone.ids);
}

TEST(Session, TeacherForcingFollowsTheGivenIds) {
  GenerateOptions options;
  options.force_ids = some_ids(20, 9);
  options.keep_logits = true;
  Session session(tiny_model(), f32_rows());
  const Generation forced = session.generate(some_ids(6, 3), options);
  EXPECT_EQ(forced.ids, options.force_ids);
  EXPECT_EQ(forced.logits.size(), 21u);
  EXPECT_EQ(forced.finish_reason, FinishReason::kLength);
}

TEST(Session, ExtendEqualsOneLongPromptOnTheFullCache) {
  const auto first = some_ids(10, 1), more = some_ids(12, 2);
  Session session(tiny_model(), f32_rows());
  const SequenceId id = session.add(first, greedy(6));
  while (session.step()) {
  }
  std::vector<std::int32_t> all = first;
  const auto answer = session.result(id).ids;
  all.insert(all.end(), answer.begin(), answer.end());
  all.insert(all.end(), more.begin(), more.end());
  session.extend(id, more, with_logits(10));
  while (session.step()) {
  }
  Session fresh(tiny_model(), f32_rows());
  // The answer's rows were decoded, here they are read as a prompt: the same products.
  expect_equal(session.result(id), fresh.generate(all, with_logits(10)));
}

TEST(Session, PoolThatFillsUpEndsWithKvFull) {
  SessionOptions options = f32_rows();
  const ModelInfo& info = tiny_model().info();
  const std::size_t page = 2 * 64 * info.head_dim * sizeof(float);
  options.kv_memory = page * info.layers * info.kv_heads;  // 64 rows per head
  Session session(tiny_model(), options);
  const Generation got = session.generate(some_ids(10, 1), greedy(200));
  EXPECT_EQ(got.finish_reason, FinishReason::kKvFull);
  EXPECT_EQ(got.kv.rows[0][0], 64u);
  EXPECT_EQ(got.ids.size(), 64u - 10u + 1u);
  // RPC goes on where the full cache had to stop.
  options.kv = small_rpc(16, 8, 8);
  Session compressed(tiny_model(), options);
  EXPECT_EQ(compressed.generate(some_ids(10, 1), greedy(200)).finish_reason, FinishReason::kLength);
}

TEST(Session, WaitingSequencesEnterWhenPagesComeBack) {
  SessionOptions options = f32_rows();
  const ModelInfo& info = tiny_model().info();
  options.kv_memory = 2 * 2 * 64 * info.head_dim * sizeof(float) * info.layers * info.kv_heads;
  Session session(tiny_model(), options);
  std::vector<SequenceId> ids;
  for (std::uint32_t i = 0; i < 6; ++i) ids.push_back(session.add(some_ids(20, i), greedy(30)));
  std::size_t finished = 0;
  while (session.step([&](const StepEvent& event) {
    if (event.finished == FinishReason::kNone) return;
    ++finished;
  })) {
    // A finished sequence keeps its rows until it is released.
    for (SequenceId& id : ids) {
      if (id != ~SequenceId{0} && session.result(id).finish_reason == FinishReason::kLength) {
        EXPECT_EQ(session.result(id).ids.size(), 30u);
        session.release(id);
        id = ~SequenceId{0};
      }
    }
  }
  EXPECT_EQ(finished, 6u);
}

TEST(Session, CancelEndsCleanly) {
  Session session(tiny_model(), f32_rows());
  const SequenceId id = session.add(some_ids(5, 1), greedy(1000));
  for (int i = 0; i < 4; ++i) session.step();
  session.cancel(id);
  while (session.step()) {
  }
  EXPECT_EQ(session.result(id).finish_reason, FinishReason::kCancelled);
  EXPECT_EQ(session.result(id).ids.size(), 4u);
}

std::string error_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(Session, RefusesWhatItCannotDo) {
  Session session(tiny_model(), f32_rows());
  EXPECT_NE(error_of([&] { session.add({}, {}); }).find("empty"), std::string::npos);
  const std::vector<std::int32_t> unknown{1 << 30};
  EXPECT_NE(error_of([&] { session.add(unknown, {}); }).find("vocabulary"), std::string::npos);
  const auto context = tiny_model().info().context;
  const std::string too_long = error_of([&] { session.add(some_ids(context + 1, 1), {}); });
  EXPECT_NE(too_long.find(std::to_string(context + 1)), std::string::npos) << too_long;
  EXPECT_NE(too_long.find(std::to_string(context)), std::string::npos);
  SessionOptions small = f32_rows();
  small.kv_memory = 1 << 20;
  const ModelInfo& info = tiny_model().info();
  const std::size_t rows =
      (std::size_t{1} << 20) / (2 * 4 * info.head_dim * info.layers * info.kv_heads);
  if (rows + 64 < context) {
    Session tight(tiny_model(), small);
    const std::string message = error_of([&] { tight.add(some_ids(rows + 64, 1), {}); });
    EXPECT_NE(message.find("KiB"), std::string::npos) << message;
    EXPECT_NE(message.find("1024 KiB"), std::string::npos) << message;
  }
  GenerateOptions bad;
  bad.sampling.top_p = 0;
  EXPECT_NE(error_of([&] { session.add(some_ids(3, 1), bad); }).find("--top-p"), std::string::npos);
}

TEST(Session, ZeroTokensReadsThePromptOnly) {
  Session session(tiny_model(), f32_rows());
  const Generation got = session.generate(some_ids(7, 1), with_logits(0));
  EXPECT_TRUE(got.ids.empty());
  EXPECT_EQ(got.logits.size(), 1u);
  EXPECT_EQ(got.kv.rows[0][0], 7u);
}

TEST(Session, LoopsAreNoticed) {
  GenerateOptions options = greedy(2000);
  options.stop_on_loop = true;
  options.sampling.repeat_penalty = 0.01;  // rewards repetition: the model falls into a loop
  Session session(tiny_model(), f32_rows());
  EXPECT_EQ(session.generate(some_ids(5, 1), options).finish_reason, FinishReason::kLoop);
}

}  // namespace
}  // namespace laconic::test
