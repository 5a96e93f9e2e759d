// SPDX-License-Identifier: Apache-2.0
// Real and made checkpoints against logits and ids of float64 references that others computed.
#include <gtest/gtest.h>

#include <algorithm>

#include "engine/engine_testing.h"
#include "model/decoder.h"

namespace laconic::test {
namespace {

struct Golden {
  const char* name;
  bool gguf;
  double tolerance;
};

// gtest takes letters, digits and underscores only.
std::string test_name(std::string name, bool gguf) {
  std::replace(name.begin(), name.end(), '-', '_');
  return name + (gguf ? "_gguf" : "_hf");
}

std::filesystem::path golden_path(const Golden& g) {
  const auto directory = shared_data() / "goldens" / g.name;
  return g.gguf ? directory / (std::string(g.name) + "-f32.gguf") : directory;
}

// Logits of every position of `ids` read as one prompt, f32 rows. [ids][vocab]
std::vector<float> prompt_logits(const std::filesystem::path& path,
                                 const std::vector<std::int32_t>& ids) {
  Checkpoint checkpoint = Checkpoint::open(path);
  const Weights weights = load_weights(checkpoint);
  Threads threads(2);
  PagePool pool(page_bytes(DType::kF32, weights.config.head_dim), std::size_t{64} << 20);
  KvOptions kv;
  kv.type = KvType::kF32;
  SequenceCache cache(pool, weights.config.kv_shape(), kv);
  EXPECT_TRUE(cache.reserve(ids.size(), /*prompt=*/true));
  Decoder decoder(weights, threads);
  const Segment segment{&cache, ids, RowKind::kPrompt, LogitRows::kAll};
  const auto logits = decoder.forward({&segment, 1});
  return {logits.begin(), logits.end()};
}

class GoldenTest : public ::testing::TestWithParam<Golden> {};

TEST_P(GoldenTest, LogitsMatch) {
  const Golden golden = GetParam();
  LACONIC_NEEDS(golden_path(golden));
  const Json expected = expected_of(shared_data() / "goldens" / golden.name);
  const auto ids = expected["ids"].get<std::vector<std::int32_t>>();
  const std::vector<float> logits = prompt_logits(golden_path(golden), ids);
  const std::size_t vocab = logits.size() / ids.size();
  double worst = 0;
  for (const auto& [position, row] : expected["logits_at_position"].items()) {
    const auto values = row.get<std::vector<double>>();
    ASSERT_EQ(values.size(), vocab);
    for (std::size_t i = 0; i < vocab; ++i) {
      worst = std::max(worst, std::abs(logits[std::stoul(position) * vocab + i] - values[i]));
    }
  }
  RecordProperty("largest_difference", std::to_string(worst));
  EXPECT_LE(worst, golden.tolerance);
}

TEST_P(GoldenTest, GreedyIdsMatchWhereTheGapAllows) {
  const Golden golden = GetParam();
  LACONIC_NEEDS(golden_path(golden));
  const Json expected = expected_of(shared_data() / "goldens" / golden.name);
  const auto wanted = expected["greedy_ids_after"].get<std::vector<std::int32_t>>();
  const auto gaps = expected["greedy_top2_gaps"].get<std::vector<double>>();
  const Model model = Model::open(golden_path(golden));
  Session session(model, f32_rows());
  const auto ids = expected["ids"].get<std::vector<std::int32_t>>();
  const Generation got = session.generate(ids, greedy(static_cast<std::int64_t>(wanted.size())));
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (gaps[i] <= 2 * golden.tolerance) break;  // from here on either id is right
    ASSERT_EQ(got.ids[i], wanted[i]) << "token " << i;
  }
}

// bf16 shards go through bf16 products in the prompt: activations are rounded to 8 bits of
// mantissa.
INSTANTIATE_TEST_SUITE_P(
    All, GoldenTest,
    ::testing::Values(
        Golden{"qwen2-bias-untied", false, 1e-4}, Golden{"qwen2-bias-untied", true, 1e-4},
        Golden{"qwen3-qknorm-tied", false, 1e-4}, Golden{"qwen3-qknorm-tied", true, 1e-4},
        Golden{"qwen3-bf16-sharded", false, 1e-3}, Golden{"qwen3-bf16-sharded", true, 1e-4},
        Golden{"llama3-rope", false, 1e-4}, Golden{"llama3-rope", true, 1e-4},
        Golden{"qwen2-yarn", false, 1e-4}, Golden{"qwen2-yarn", true, 1e-4},
        Golden{"llama-linear", false, 1e-4}, Golden{"llama-linear", true, 1e-4}),
    [](const auto& p) { return test_name(p.param.name, p.param.gguf); });

class StoriesTest : public ::testing::TestWithParam<const char*> {};

TEST_P(StoriesTest, GreedyTextAndLogitsMatch) {
  const auto directory = shared_data() / "models/stories260K";
  LACONIC_NEEDS(directory);
  const Json expected = expected_of(directory);
  const Model model = Model::open(directory / GetParam());
  Session session(model, f32_rows());
  const auto wanted = expected["greedy_ids"].get<std::vector<std::int32_t>>();
  GenerateOptions options = greedy(static_cast<std::int64_t>(wanted.size()));
  options.keep_logits = true;
  const std::vector<std::int32_t> prompt = expected["prompt_ids"];
  const Generation got = session.generate(prompt, options);
  EXPECT_EQ(got.ids, wanted);
  EXPECT_EQ(got.text, expected["greedy_text"].get<std::string>());
  ASSERT_EQ(got.logits.size(), wanted.size() + 1);
  const auto logits = expected["logits_first_32_steps"].get<std::vector<std::vector<double>>>();
  for (std::size_t step = 0; step < logits.size(); ++step) {
    for (std::size_t i = 0; i < logits[step].size(); ++i) {
      ASSERT_NEAR(got.logits[step][i], logits[step][i], 1e-4) << "step " << step << " id " << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Formats, StoriesTest, ::testing::Values("", "stories260K-f32.gguf"),
                         [](const auto& p) { return *p.param ? "gguf" : "hf"; });

class AdderTest : public ::testing::TestWithParam<const char*> {};

// The token protocol of the ten-digit adder: 0, a, 0, 0, b, 0 with digits least significant first.
std::vector<std::int32_t> adder_prompt(std::uint64_t a, std::uint64_t b) {
  std::vector<std::int32_t> ids{0};
  for (int i = 0; i < 10; ++i, a /= 10) ids.push_back(static_cast<std::int32_t>(a % 10));
  ids.insert(ids.end(), {0, 0});
  for (int i = 0; i < 10; ++i, b /= 10) ids.push_back(static_cast<std::int32_t>(b % 10));
  ids.push_back(0);
  return ids;
}

TEST_P(AdderTest, AddsTenDigitNumbers) {
  const auto path = shared_data() / "models" / GetParam();
  LACONIC_NEEDS(path);
  const Model model = Model::open(path);
  Session session(model, f32_rows());
  constexpr int kProblems = 500;
  constexpr std::uint64_t kLimit = 10'000'000'000u;
  std::uint64_t state = 20250520;
  const auto draw = [&] {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (state >> 20) % kLimit;
  };
  std::vector<std::pair<SequenceId, std::uint64_t>> problems;
  for (int i = 0; i < kProblems; ++i) {
    const std::uint64_t a = draw(), b = draw();
    problems.emplace_back(session.add(adder_prompt(a, b), greedy(11)), a + b);
  }
  while (session.step()) {
  }
  int right = 0;
  for (const auto& [id, sum] : problems) {
    std::uint64_t answer = 0;
    const auto& ids = session.result(id).ids;
    for (auto digit = ids.rbegin(); digit != ids.rend(); ++digit) {
      answer = answer * 10 + static_cast<std::uint64_t>(*digit);
    }
    right += answer == sum;
  }
  EXPECT_GE(right, 497);
}

INSTANTIATE_TEST_SUITE_P(Models, AdderTest, ::testing::Values("adder-qwen3-228", "adder-qwen3-146"),
                         [](const auto& p) { return std::string(p.param).substr(12); });

}  // namespace
}  // namespace laconic::test
