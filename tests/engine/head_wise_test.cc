// SPDX-License-Identifier: Apache-2.0
// Caches whose heads differ: full lists for some, sinks and a window for the others.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

#include "engine/head_wise_testing.h"
#include "laconic/error.h"

namespace laconic::test {
namespace {

struct Prompt {
  const char* name;
  std::size_t tokens;
  unsigned full;
};

class HeadWisePrompt : public HeadWise, public ::testing::WithParamInterface<Prompt> {};

TEST_P(HeadWisePrompt, EqualsAMaskedDenseReferenceOver300Steps) {
  const Prompt& prompt = GetParam();
  const Generation got = Session(tiny_model(), session_on(prompt.full))
                             .generate(random_ids(prompt.tokens, 1), forced(300, 2));
  Float64Decoder plain = masked(prompt.full);
  expect_answer(plain, got, kClose);
}

INSTANTIATE_TEST_SUITE_P(
    Prompts, HeadWisePrompt,
    ::testing::Values(Prompt{"one_token", 1, kSome}, Prompt{"shorter_than_the_sinks", 3, kOthers},
                      Prompt{"between", 9, kSome}, Prompt{"exactly", kBlock, 0b101101},
                      Prompt{"longer", 40, kOthers}, Prompt{"longer_than_a_page", 100, 0}),
    [](const auto& p) { return p.param.name; });

// 2 d e [F n + (N - F) min(n, sink + recent)] bytes, the formula of the RLKV specification.
TEST_F(HeadWise, BytesFollowTheFormula) {
  const KvShape shape = tiny_shape();
  const std::size_t all = shape.layers * shape.kv_heads;
  for (const unsigned bits : {0u, kSome, kOthers, kAll}) {
    const std::size_t full = heads_of(bits).count();
    for (const std::size_t rows : {2u, 4u, 11u, 12u, 13u, 60u, 200u}) {
      const Generation got = Session(tiny_model(), session_on(bits))
                                 .generate(random_ids(rows / 2, 1), forced(rows - rows / 2, 2));
      const std::size_t constant = std::min(rows, kBlock);
      EXPECT_EQ(got.kv.bytes, kTinyRowBytes * (full * rows + (all - full) * constant));
      const std::size_t pages = (rows + kPageRows - 1) / kPageRows * kPageRows;
      EXPECT_EQ(got.kv.allocated_bytes, kTinyRowBytes * (full * pages + (all - full) * kBlock));
      for (std::size_t l = 0; l < shape.layers; ++l) {
        for (std::size_t h = 0; h < shape.kv_heads; ++h) {
          EXPECT_EQ(got.kv.rows[l][h], heads_of(bits).is_full(l, h) ? rows : constant);
        }
      }
    }
  }
}

TEST_F(HeadWise, AllHeadsFullIsThePlainCacheBitForBit) {
  const auto prompt = random_ids(20, 1);
  const GenerateOptions generate = forced(120, 2);
  for (KvOptions kv : {KvOptions{}, by_ratio(KvPolicy::kRpc), by_ratio(KvPolicy::kH2o)}) {
    kv.type = KvType::kF32;
    const Generation want = Session(tiny_model(), session_of(kv)).generate(prompt, generate);
    const Generation got =
        Session(tiny_model(), session_on(kAll, kv, 1)).generate(prompt, generate);
    EXPECT_EQ(got.logits, want.logits);
    EXPECT_EQ(got.kv.rows, want.kv.rows);
  }
}

// Three of six heads at one half: 6 - ceil(5 / 2).
TEST_F(HeadWise, RandomHeadsAtASparsity) {
  SessionOptions options = session_of(session_on(kAll).kv);
  options.kv.heads = "random:7";
  options.kv.heads_threshold.clear();
  options.kv.sparsity = "0.5";
  const Generation got = Session(tiny_model(), options).generate(random_ids(20, 1), forced(20, 2));
  std::size_t full = 0;
  for (const auto& layer : got.kv.rows) {
    full += static_cast<std::size_t>(std::count(layer.begin(), layer.end(), 40u));
  }
  EXPECT_EQ(full, 3u);
}

// Every compression would do nothing, and be counted.
TEST_F(HeadWise, APolicyNeedsAFullHead) {
  const auto refusal = [](const SessionOptions& options) -> std::string {
    try {
      Session session(tiny_model(), options);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kUsage);
      return error.what();
    }
    return "accepted";
  };
  SessionOptions options = session_on(0, by_ratio(KvPolicy::kRpc));
  EXPECT_EQ(refusal(options),
            "--kv-policy rpc has no full head to work on at --kv-heads-threshold 0.5; use "
            "--kv-policy full");
  options.kv.heads = "random:7";
  options.kv.heads_threshold.clear();
  options.kv.sparsity = "1";
  EXPECT_THAT(refusal(options), ::testing::HasSubstr("at --kv-sparsity 1; use"));
  options.kv.policy = KvPolicy::kFull;
  EXPECT_EQ(refusal(options), "accepted");
}

TEST_F(HeadWise, AWindowThatHoldsTheWholeTextIsTheFullCache) {
  const auto prompt = random_ids(20, 1);
  const GenerateOptions generate = forced(100, 2);
  const Generation want = Session(tiny_model(), f32_rows()).generate(prompt, generate);
  SessionOptions wide = session_on(0);
  wide.kv.head_recent = 120 - kSink;
  const Generation got = Session(tiny_model(), wide).generate(prompt, generate);
  EXPECT_LE(largest_difference(got, want), kClose);
  EXPECT_EQ(got.kv.bytes, want.kv.bytes);
}

// The text is longer than sinks and window by one: then it matters which token leaves.
TEST_F(HeadWise, TheWindowCountsTheTokenItself) {
  SessionOptions exact = session_on(0), roomy = session_on(0);
  roomy.kv.head_recent = kRecent + 1;
  const auto prompt = random_ids(kBlock - 2, 1);
  const GenerateOptions generate = forced(3, 2);
  const Generation a = Session(tiny_model(), exact).generate(prompt, generate);
  const Generation b = Session(tiny_model(), roomy).generate(prompt, generate);
  EXPECT_EQ(a.logits[2], b.logits[2]) << "the token that fills the block";
  EXPECT_NE(a.logits[3], b.logits[3]);
}

TEST_F(HeadWise, AMixedBatchEqualsEachAlone) {
  SessionOptions options = session_on(kSome, by_ratio(KvPolicy::kRpc));
  options.batch_tokens = 16;
  const std::size_t prompts[] = {2, 9, kBlock, 70};
  Session batch(tiny_model(), options);
  for (std::size_t i = 0; i < 4; ++i) {
    batch.add(random_ids(prompts[i], 1), forced(30 + 10 * i, 2));
  }
  finish(batch);
  for (std::size_t i = 0; i < 4; ++i) {
    const Generation alone =
        Session(tiny_model(), options).generate(random_ids(prompts[i], 1), forced(30 + 10 * i, 2));
    EXPECT_EQ(batch.result(i).logits, alone.logits) << "prompt of " << prompts[i];
    EXPECT_EQ(batch.result(i).kv.rows, alone.kv.rows) << "prompt of " << prompts[i];
  }
}

TEST_F(HeadWise, ChunksAndThreadsDoNotMatter) {
  const auto prompt = random_ids(70, 1);
  const GenerateOptions generate = forced(40, 2);
  const Generation whole =
      Session(tiny_model(), session_on(kOthers, {}, 1)).generate(prompt, generate);
  for (const std::size_t threads : {1u, 2u, 3u}) {
    SessionOptions chunked = session_on(kOthers, {}, threads);
    chunked.batch_tokens = 7;
    const Generation got = Session(tiny_model(), chunked).generate(prompt, generate);
    EXPECT_EQ(largest_difference(got, whole), 0) << threads << " threads";
  }
}

// Rows that left a window before the new text stay gone; the new text is read by all heads whole.
TEST_F(HeadWise, GoesOnAfterAnAnswer) {
  for (const std::size_t more : {1u, 5u, 30u}) {
    Session session(tiny_model(), session_on(kOthers));
    Float64Decoder plain = masked(kOthers);
    const SequenceId id = session.add(random_ids(6, 1), forced(20, 2));
    finish(session);
    expect_answer(plain, session.result(id), kClose);
    for (const std::uint32_t turn : {3u, 4u}) {
      session.extend(id, random_ids(more, turn), forced(25, 10 + turn));
      finish(session);
      expect_answer(plain, session.result(id), kClose);
    }
  }
}

// --- a policy on the full heads

// Head 1 of layer 0 and head 0 of layer 1 are full, none of layer 2: one list means the query heads
// of one KV head there, whatever the granularity.
TEST_F(HeadWise, APolicyWorksOnTheFullHeadsAlone) {
  for (const KvPolicy policy : evicting_policies()) {
    SCOPED_TRACE(KvOptions::of(policy).policy_name());
    const KvOptions kv = by_ratio(policy);
    KeepLists lists;
    Session session(tiny_model(), session_on(kSome, kv));
    trace_into(session, lists);
    const Generation got = session.generate(random_ids(20, 1), forced(60, 2));
    const Compressions due = compressions_of(kv, 20, 60);
    ASSERT_EQ(lists.size(), 2 * due.size()) << "a layer without full heads has nothing to choose";
    for (const auto& [step, stay] : due) {
      EXPECT_EQ(lists.at({0, step, 0, 1}).size(), stay);
      EXPECT_EQ(lists.at({0, step, 1, 0}).size(), stay);
    }
    const std::size_t left = Schedule::rows_after(kv, 20, 60);
    const std::vector<std::vector<std::size_t>> rows{
        {kBlock, left}, {left, kBlock}, {kBlock, kBlock}};
    EXPECT_EQ(got.kv.rows, rows);
  }
}

class RpcOnHeads : public HeadWise, public ::testing::WithParamInterface<KvGranularity> {};

// Both heads of layer 1 share a list by the mean over their query heads; the full head of layer 0
// ranks by its own, the constant one beside it has no say.
TEST_P(RpcOnHeads, RanksByTheQueriesOfTheFullHeads) {
  constexpr unsigned kFull = 0b001101;
  const KvOptions kv = small_rpc(32, 8, 4, GetParam());
  KeepLists lists;
  Session session(tiny_model(), session_on(kFull, kv));
  trace_into(session, lists);
  const Generation got = session.generate(random_ids(20, 1), forced(200, 2));
  Float64Decoder plain = masked(kFull);
  plain.use_rpc(kv);
  const Compressions due = compressions_of(kv, 20, 200);
  std::size_t seen = 0;
  expect_answer(plain, got, kClose, [&](std::size_t step) {
    if (seen == due.size() || due[seen].first != step) return;
    for (const auto& [layer, head] : {std::pair{0u, 0u}, std::pair{1u, 0u}, std::pair{1u, 1u}}) {
      EXPECT_EQ(lists.at({0, step, layer, head}), plain.positions(layer, head)) << step;
    }
    ++seen;
  });
  EXPECT_EQ(lists.size(), 3 * due.size());
  EXPECT_EQ(got.kv.compressions, due.size());
  EXPECT_EQ(got.kv.rows[1], std::vector<std::size_t>(2, plain.rows(1, 0)));
}

INSTANTIATE_TEST_SUITE_P(Granularities, RpcOnHeads,
                         ::testing::Values(KvGranularity::kLayer, KvGranularity::kKvHead),
                         [](const auto& p) {
                           return p.param == KvGranularity::kLayer ? "layer" : "kv_head";
                         });

}  // namespace
}  // namespace laconic::test
