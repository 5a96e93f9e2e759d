// SPDX-License-Identifier: Apache-2.0
// The pool's limit with heads that differ: what is admitted, given back, and refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "engine/head_wise_testing.h"
#include "laconic/error.h"

namespace laconic::test {
namespace {

using ::testing::HasSubstr;

// What the engine admits a sequence by, in whole pages of the pool.
std::size_t admitted(const KvOptions& kv, unsigned full, std::size_t prompt, std::size_t tokens) {
  const HeadSet heads = heads_of(full);
  const std::size_t page = kPageRows * kTinyRowBytes;
  return (CacheDemand(tiny_shape(), kv, &heads).peak(prompt, tokens) + page - 1) / page * page;
}

// One at a time fits: each waits for the one before, takes over its memory, and is none the worse.
TEST_F(HeadWise, MemoryIsUsedAgainAndItsLimitHolds) {
  for (const auto& kv : {KvOptions{}, by_ratio(KvPolicy::kRpc), by_ratio(KvPolicy::kH2o)}) {
    for (const std::size_t prompt : {2u, 64u, 90u}) {
      SessionOptions options = session_on(kSome, kv);
      const Generation want =
          Session(tiny_model(), options).generate(random_ids(prompt, 1), forced(60, 2));
      options.kv_memory = admitted(options.kv, kSome, prompt, 60);
      Session session(tiny_model(), options);
      for (int i = 0; i < 4; ++i) session.add(random_ids(prompt, 1), forced(60, 2));
      finish(session);
      for (SequenceId id = 0; id < 4; ++id) {
        const Generation& got = session.result(id);
        EXPECT_EQ(got.finish_reason, FinishReason::kLength);
        EXPECT_EQ(got.logits, want.logits);
        EXPECT_LE(got.kv.peak_allocated_bytes, session.kv_bytes_limit());
      }
    }
  }
}

// Constant heads do not grow: with all of them constant an answer never ends for want of memory.
TEST_F(HeadWise, AnAnswerOfConstantHeadsNeedsNoMoreThanItsBlocks) {
  SessionOptions options = session_on(0);
  options.kv_memory = admitted(options.kv, 0, 2, 600);
  const Generation got = Session(tiny_model(), options).generate(random_ids(2, 1), greedy(600));
  EXPECT_EQ(got.finish_reason, FinishReason::kLength);
  EXPECT_EQ(got.kv.peak_rows, kBlock);
  EXPECT_LE(got.kv.peak_allocated_bytes, options.kv_memory);
}

// Blocks as wide as published are larger than the pages of a short prompt: rows of finished
// sequences give way to them too.
TEST_F(HeadWise, FinishedSequencesGiveWayToBlocks) {
  SessionOptions options = session_on(0);
  options.kv.head_sink = 16;
  options.kv.head_recent = 64;
  const std::size_t page = kPageRows * kTinyRowBytes;
  options.kv_memory = admitted(options.kv, 0, 2, 10) + 6 * page;  // and a prompt's pages
  Session session(tiny_model(), options);
  for (int i = 0; i < 3; ++i) {
    const SequenceId id = session.add(random_ids(2, 1), greedy(10));
    finish(session);
    EXPECT_EQ(session.result(id).finish_reason, FinishReason::kLength) << i;
    EXPECT_EQ(session.result(id).ids.size(), 10u) << i;
  }
}

TEST_F(HeadWise, RefusesAPromptWhoseBlocksTheMemoryCannotHold) {
  SessionOptions options = session_on(0);
  options.kv.head_sink = 16;
  options.kv.head_recent = 64;
  options.kv_memory = 6 * kPageRows * kTinyRowBytes;  // of blocks for 80 rows: 120 KiB
  Session session(tiny_model(), options);
  try {
    session.add(random_ids(2, 1), greedy(4));
    FAIL() << "six blocks of 20 KiB in 96 KiB";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kResource);
    EXPECT_THAT(error.what(), HasSubstr("120 KiB"));
    EXPECT_THAT(error.what(), HasSubstr("96 KiB"));
  }
}

// The prompt is read by all heads, so that is what its memory is counted for.
TEST_F(HeadWise, RefusesAPromptThatTheMemoryCannotHold) {
  SessionOptions options = session_on(0);
  options.kv_memory = 6 * kPageRows * kTinyRowBytes;  // a page for each head: 96 KiB
  Session session(tiny_model(), options);
  try {
    session.add(random_ids(65, 1), greedy(4));
    FAIL() << "65 rows in pages for 64";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kResource);
    EXPECT_THAT(error.what(), HasSubstr("65 rows need 192 KiB"));
    EXPECT_THAT(error.what(), HasSubstr("allows 96 KiB"));
  }
  EXPECT_EQ(session.generate(random_ids(64, 1), greedy(40)).finish_reason, FinishReason::kLength);
}

TEST_F(HeadWise, RefusesATableOfAnotherModel) {
  SessionOptions options = session_on(kSome);
  std::ofstream(options.kv.heads) << "1\t0\n0\t1\n";
  EXPECT_THROW(Session(tiny_model(), options), Error);
}

}  // namespace
}  // namespace laconic::test
