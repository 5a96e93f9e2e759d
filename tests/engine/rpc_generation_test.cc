// SPDX-License-Identifier: Apache-2.0
// Whole generations with RPC against a float64 decoder that shares no code with the engine's.
#include <gtest/gtest.h>

#include "engine/engine_testing.h"
#include "engine/float64_decoder.h"
#include "kv/schedule.h"

namespace laconic::test {
namespace {

constexpr std::size_t kTokens = 200;

struct Arm {
  const char* name;
  KvOptions kv;
};

class RpcGenerationTest : public ::testing::TestWithParam<Arm> {};

TEST_P(RpcGenerationTest, EqualsFloat64Decoder) {
  const auto directory = shared_data() / "models/stories260K";
  LACONIC_NEEDS(directory);
  const KvOptions kv = GetParam().kv;
  const Model model = Model::open(directory);
  SessionOptions session_options = f32_rows();
  session_options.kv = kv;
  Session session(model, session_options);
  std::map<std::pair<std::size_t, std::size_t>, std::vector<std::int32_t>> last_kept;
  std::size_t traced = 0;
  session.set_kv_trace([&](SequenceId, std::size_t, std::size_t layer, std::size_t kv_head,
                           std::span<const std::int32_t> kept) {
    last_kept[{layer, kv_head}].assign(kept.begin(), kept.end());
    ++traced;
  });
  const std::vector<std::int32_t> prompt = model.tokenize("Once upon a time, there was");
  GenerateOptions options = greedy(kTokens);
  options.keep_logits = true;
  const Generation got = session.generate(prompt, options);
  ASSERT_EQ(got.ids.size(), kTokens);

  const Checkpoint checkpoint = Checkpoint::open(directory);
  Float64Decoder plain(checkpoint);
  plain.use_rpc(kv);
  std::vector<double> logits;
  for (const std::int32_t id : prompt) logits = plain.read(id);
  plain.begin_generation();
  for (std::size_t step = 0; step <= kTokens; ++step) {
    for (std::size_t i = 0; i < logits.size(); ++i) {
      ASSERT_NEAR(got.logits[step][i], logits[i], 2e-4) << "step " << step;
    }
    if (step == kTokens) break;
    const auto best = std::max_element(logits.begin(), logits.end()) - logits.begin();
    ASSERT_EQ(got.ids[step], best) << "step " << step;
    logits = plain.generate(static_cast<std::int32_t>(best));
    ASSERT_EQ(plain.rows(0, 0), Schedule::rows_after(kv, prompt.size(), step + 1));
  }
  const auto& shape = checkpoint.config();
  constexpr double kRounding = 1e-6;  // of scores in f32, relative; other calls are above 1e-4
  std::size_t ties = 0;
  for (std::size_t l = 0; l < shape.layers; ++l) {
    for (std::size_t h = 0; h < shape.kv_heads; ++h) {
      EXPECT_EQ(got.kv.rows[l][h], plain.rows(l, h));
      // Rows that stayed at the last compression lead the reference's list of positions.
      const auto positions = plain.positions(l, h);
      const auto& kept = last_kept[{l, h}];
      ASSERT_LE(kept.size(), positions.size());
      if (plain.closest_call(l, h) < kRounding) {
        ++ties;
        continue;
      }
      EXPECT_TRUE(std::equal(kept.begin(), kept.end(), positions.begin())) << l << " " << h;
    }
  }
  EXPECT_LE(ties, 1u);
  EXPECT_EQ(got.kv.compressions, (kTokens - kv.window) / kv.interval);
  EXPECT_EQ(traced, got.kv.compressions * shape.layers * shape.kv_heads);
}

INSTANTIATE_TEST_SUITE_P(
    Arms, RpcGenerationTest,
    ::testing::Values(Arm{"layer", small_rpc(32, 8, 4)},
                      Arm{"kv_head", small_rpc(32, 8, 4, KvGranularity::kKvHead)},
                      Arm{"ratio_2", small_rpc(32, 8, 2, KvGranularity::kKvHead)},
                      Arm{"short_interval", small_rpc(8, 16, 2)}),
    [](const auto& p) { return p.param.name; });

class NeverDueTest : public ::testing::TestWithParam<Arm> {};

// The full cache, bit for bit: a ratio of 1 keeps everything, a long interval never triggers.
TEST_P(NeverDueTest, BitIdenticalToFull) {
  SessionOptions options = f32_rows();
  const std::vector<std::int32_t> prompt{3, 9, 27, 81};
  GenerateOptions generate = greedy(150);
  generate.keep_logits = true;
  Session full(tiny_model(), options);
  const Generation want = full.generate(prompt, generate);
  options.kv = GetParam().kv;
  Session other(tiny_model(), options);
  const Generation got = other.generate(prompt, generate);
  EXPECT_EQ(got.ids, want.ids);
  EXPECT_EQ(got.logits, want.logits);
  EXPECT_EQ(got.kv.rows, want.kv.rows);
}

INSTANTIATE_TEST_SUITE_P(Arms, NeverDueTest,
                         ::testing::Values(Arm{"ratio_1", small_rpc(32, 8, 1)},
                                           Arm{"long_interval", small_rpc(4096, 8, 4)},
                                           Arm{"random_ratio_1", small_random(32, 8, 1)},
                                           Arm{"random_long_interval", small_random(4096, 8, 4)}),
                         [](const auto& p) { return p.param.name; });

TEST(RpcSession, RowsFollowTheLawAtEveryStep) {
  SessionOptions options = f32_rows();
  options.kv = small_rpc(16, 4, 3);
  const std::vector<std::int32_t> prompt{1, 2, 3, 4, 5};
  std::size_t row_bytes_sum = 0;
  for (const std::int64_t tokens : {1, 2, 20, 21, 22, 36, 37, 38, 100}) {
    Session session(tiny_model(), options);
    const Generation got = session.generate(prompt, greedy(tokens));
    // The last token is drawn and not read: it has no row yet.
    const std::size_t rows =
        Schedule::rows_after(options.kv, prompt.size(), static_cast<std::size_t>(tokens) - 1);
    std::size_t total = 0;
    for (const auto& layer : got.kv.rows) {
      for (const std::size_t held : layer) {
        EXPECT_EQ(held, rows) << tokens;
        total += held;
      }
    }
    const std::size_t row_bytes = 2 * tiny_model().info().head_dim * sizeof(float);
    EXPECT_EQ(got.kv.bytes, total * row_bytes);
    EXPECT_GE(got.kv.allocated_bytes, got.kv.bytes);
    EXPECT_EQ(got.kv.peak_rows,
              Schedule::peak_rows(options.kv, prompt.size(), static_cast<std::size_t>(tokens) - 1));
    row_bytes_sum += got.kv.bytes;
  }
  EXPECT_GT(row_bytes_sum, 0u);
}

}  // namespace
}  // namespace laconic::test
