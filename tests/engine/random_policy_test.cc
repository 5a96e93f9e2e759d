// SPDX-License-Identifier: Apache-2.0
// Which generations the null tells apart: by text, stream and seed, by nothing else of a session.
#include <gtest/gtest.h>

#include <iterator>

#include "engine/generation_compare.h"

namespace laconic::test {
namespace {

constexpr std::size_t kTokens = 80;  // four compressions

class RandomPolicyTest : public ::testing::Test {
 protected:
  explicit RandomPolicyTest(std::uint64_t seed = 5) : session_(tiny_model(), options(seed)) {
    trace_into(session_, lists_);
  }

  static SessionOptions options(std::uint64_t seed) {
    SessionOptions options = f32_rows(1);
    options.kv = small_random(16, 4, 4);
    options.kv.seed = seed;
    return options;
  }

  SequenceId add(std::uint32_t prompt, std::uint64_t stream = 0) {
    GenerateOptions generate = forced(kTokens, 1);
    generate.sampling.stream = stream;
    return session_.add(random_ids(12, prompt), generate);
  }

  void finish() {
    while (session_.step()) {
    }
  }

  // Keep-lists of a sequence in order of step, layer and KV head.
  std::vector<std::vector<std::int32_t>> lists(SequenceId id) const {
    std::vector<std::vector<std::int32_t>> out;
    for (const auto& [key, kept] : lists_) {
      if (std::get<0>(key) == id) out.push_back(kept);
    }
    return out;
  }

  Session session_;
  KeepLists lists_;
};

TEST_F(RandomPolicyTest, TheSamePromptLosesTheSameRowsWhereverItStands) {
  const SequenceId first = add(1);
  finish();
  add(2);
  const SequenceId second = add(1);  // another number, other neighbours, another moment
  add(3);
  finish();
  ASSERT_EQ(lists(first).size(), 4 * tiny_model().info().layers * tiny_model().info().kv_heads);
  EXPECT_EQ(lists(second), lists(first));
  EXPECT_EQ(session_.result(second).logits, session_.result(first).logits);
}

TEST_F(RandomPolicyTest, PromptsStreamsSeedsAndTurnsDrawForThemselves) {
  const SequenceId first = add(1);
  const SequenceId other_prompt = add(2);
  const SequenceId other_stream = add(1, /*stream=*/1);
  finish();
  const auto want = lists(first);
  for (const SequenceId id : {other_prompt, other_stream}) {
    const auto got = lists(id);
    ASSERT_EQ(got.size(), want.size());
    for (std::size_t i = 0; i < want.size(); ++i) {
      EXPECT_EQ(got[i].size(), want[i].size());
      EXPECT_NE(got[i], want[i]) << "sequence " << id << ", list " << i;
    }
  }

  KeepLists other_seed;
  Session session(tiny_model(), options(6));
  trace_into(session, other_seed);
  session.generate(random_ids(12, 1), forced(kTokens, 1));
  ASSERT_EQ(other_seed.size(), want.size());
  std::size_t i = 0;
  for (const auto& [key, kept] : other_seed) EXPECT_NE(kept, want[i++]);

  // The second turn's prompt is what the first one left and three tokens more.
  const std::size_t prompt = session_.result(first).kv.rows[0][0] + 3;
  lists_.clear();
  session_.extend(first, random_ids(3, 9), forced(kTokens, 1));
  finish();
  const auto turn = lists(first);
  ASSERT_EQ(turn.size(), want.size());
  ASSERT_EQ(turn[0].size(), prompt + 4 + 4);
  const auto tokens_before_the_trigger = [](const std::vector<std::int32_t>& list) {
    std::vector<std::int32_t> out(list.end() - 8, list.end() - 4);  // four chosen, four of window
    for (std::int32_t& position : out) position = list.back() - position;
    return out;
  };
  EXPECT_NE(tokens_before_the_trigger(turn[0]), tokens_before_the_trigger(want[0]));
}

// Rows that leave by chance change the logits after the first compression, and not before.
TEST_F(RandomPolicyTest, EqualsFullUpToTheFirstTrigger) {
  const SequenceId id = add(1);
  finish();
  const Generation& random = session_.result(id);
  const Generation full =
      Session(tiny_model(), f32_rows(1)).generate(random_ids(12, 1), forced(kTokens, 1));
  for (std::size_t step = 0; step <= 20; ++step) {
    EXPECT_EQ(random.logits[step], full.logits[step]) << step;
  }
  EXPECT_NE(random.logits[21], full.logits[21]);
  EXPECT_EQ(random.kv.compressions, 4u);
}

}  // namespace
}  // namespace laconic::test
