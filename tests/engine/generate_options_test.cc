// SPDX-License-Identifier: Apache-2.0
// What GenerateOptions promise end to end: stop texts and tokens, the reasoning budget, and the
// sampling that a checkpoint recommends.
#include <gtest/gtest.h>

#include <algorithm>

#include "engine/generation_compare.h"
#include "laconic/error.h"

namespace laconic::test {
namespace {

constexpr std::int32_t kThinkClose = 260;  // of the made vocabulary

// Draws among bytes and markers give the random model varied text; every run repeats them.
GenerateOptions drawn(std::int64_t tokens) {
  GenerateOptions options = greedy(tokens);
  options.sampling.temperature = 1.0;
  options.sampling.seed = 3;
  return options;
}

struct Shown {
  Generation result;
  std::string reasoning, answer;  // what the events showed, joined
};

Shown run(const GenerateOptions& options) {
  Shown shown;
  Session session(tiny_model(), f32_rows());
  shown.result = session.generate(random_ids(6, 1), options, [&](const StepEvent& event) {
    shown.reasoning += event.reasoning;
    shown.answer += event.answer;
  });
  return shown;
}

bool starts_character(char c) { return (static_cast<unsigned char>(c) & 0xC0u) != 0x80u; }

// Whole characters of `text` from about `at` on.
std::string characters(const std::string& text, std::size_t at, std::size_t bytes) {
  while (at < text.size() && !starts_character(text[at])) ++at;
  std::size_t end = std::min(at + bytes, text.size());
  while (end < text.size() && !starts_character(text[end])) ++end;
  return text.substr(at, end - at);
}

TEST(StopTexts, CutTheTextAndEndTheAnswer) {
  const Shown whole = run(drawn(80));
  EXPECT_EQ(whole.result.finish_reason, FinishReason::kLength);
  EXPECT_EQ(whole.answer, whole.result.text);
  for (const std::size_t at : {0u, 21u, 50u}) {
    const std::string stop = characters(whole.result.text, at, 5);
    ASSERT_FALSE(stop.empty());
    GenerateOptions options = drawn(80);
    options.stop = {"never in this text", stop};
    const Shown cut = run(options);
    EXPECT_EQ(cut.result.finish_reason, FinishReason::kStop);
    EXPECT_EQ(cut.result.text, whole.result.text.substr(0, whole.result.text.find(stop)));
    EXPECT_EQ(cut.answer, cut.result.text) << "a part of the stop text was shown";
    ASSERT_LT(cut.result.ids.size(), whole.result.ids.size());
    EXPECT_TRUE(std::equal(cut.result.ids.begin(), cut.result.ids.end(), whole.result.ids.begin()));
  }
}

TEST(StopTexts, ThatNeverComeLeaveTheTextWhole) {
  const Shown whole = run(drawn(60));
  GenerateOptions options = drawn(60);
  // Begins like the end of the text: it is held back until nothing more can come.
  options.stop = {characters(whole.result.text, whole.result.text.size() - 6, 6) + "and more"};
  const Shown kept = run(options);
  EXPECT_EQ(kept.result.finish_reason, FinishReason::kLength);
  EXPECT_EQ(kept.result.text, whole.result.text);
  EXPECT_EQ(kept.answer, whole.answer);
}

TEST(StopTokens, EndTheAnswerAndAreNotInTheText) {
  const Shown whole = run(drawn(40));
  const auto& ids = whole.result.ids;
  // The last token that had not come before.
  std::size_t at = ids.size() - 1;
  while (std::find(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(at), ids[at]) !=
         ids.begin() + static_cast<std::ptrdiff_t>(at)) {
    --at;
  }
  GenerateOptions options = drawn(40);
  options.stop_tokens = {ids[at]};
  const Shown cut = run(options);
  EXPECT_EQ(cut.result.finish_reason, FinishReason::kStop);
  EXPECT_EQ(cut.result.ids, std::vector<std::int32_t>(
                                ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(at + 1)));
  const std::vector<std::int32_t> before(cut.result.ids.begin(), cut.result.ids.end() - 1);
  EXPECT_EQ(cut.result.text, tiny_model().detokenize(before, /*skip_special=*/true));
}

TEST(ReasoningBudget, ClosesTheBlockAfterItsTokens) {
  GenerateOptions options = drawn(30);
  options.reasoning_open = true;
  const Shown free = run(options);
  const auto& thought = free.result.ids;
  ASSERT_EQ(std::count(thought.begin(), thought.end(), kThinkClose), 0) << "choose another seed";
  EXPECT_TRUE(free.result.answer.empty());
  EXPECT_EQ(free.result.reasoning, free.reasoning);

  const std::vector<std::int32_t> closing = tiny_model().tokenize("\n</think>\n\n", false);
  ASSERT_EQ(std::count(closing.begin(), closing.end(), kThinkClose), 1);
  for (const std::size_t budget : {0u, 1u, 3u, 17u}) {
    options.reasoning_budget = static_cast<std::int64_t>(budget);
    const Shown got = run(options);
    const auto& ids = got.result.ids;
    ASSERT_EQ(ids.size(), 30u);
    const auto closed = static_cast<std::ptrdiff_t>(budget);
    EXPECT_TRUE(std::equal(ids.begin(), ids.begin() + closed, thought.begin())) << budget;
    EXPECT_TRUE(std::equal(closing.begin(), closing.end(), ids.begin() + closed)) << budget;
    const std::vector<std::int32_t> inside(ids.begin(), ids.begin() + closed);
    EXPECT_EQ(got.result.reasoning, tiny_model().detokenize(inside, true)) << budget;
    EXPECT_EQ(got.reasoning, got.result.reasoning);
    EXPECT_FALSE(got.result.answer.empty()) << "the model goes on with its answer";
    EXPECT_EQ(got.answer, got.result.answer);
  }
}

TEST(ReasoningBudget, DoesNotTouchAnAnswerWithoutReasoning) {
  GenerateOptions options = drawn(30);
  const Shown free = run(options);
  options.reasoning_budget = 0;
  EXPECT_EQ(run(options).result.ids, free.result.ids);
}

class DefaultSamplingTest : public ::testing::Test {
 protected:
  void SetUp() override {
    make_random_model(known_model("tiny"), folder_ / "m", DType::kBF16, {}, /*seed=*/1);
  }
  Model with(const std::string& generation_config) {
    write_file_atomic(folder_ / "m" / "generation_config.json", generation_config);
    return Model::open(folder_ / "m");
  }
  const TemporaryFolder folder_;
};

TEST_F(DefaultSamplingTest, IsWhatTheCheckpointRecommends) {
  const SamplingOptions s =
      with(R"({"do_sample": true, "temperature": 0.6, "top_k": 20, "top_p": 0.95, "min_p": 0.05,
               "repetition_penalty": 1.1, "eos_token_id": [258, 256]})")
          .default_sampling();
  EXPECT_EQ(s.temperature, 0.6);
  EXPECT_EQ(s.top_k, 20u);
  EXPECT_EQ(s.top_p, 0.95);
  EXPECT_EQ(s.min_p, 0.05);
  EXPECT_EQ(s.repeat_penalty, 1.1);
}

TEST_F(DefaultSamplingTest, IsGreedyUnlessItSaysSample) {
  for (const char* config : {"{}", R"({"temperature": 0.6})",
                             R"({"do_sample": false, "temperature": 0.6, "top_p": 0.9})"}) {
    const SamplingOptions s = with(config).default_sampling();
    EXPECT_EQ(s.temperature, 0.0) << config;
    EXPECT_EQ(s.top_p, 1.0) << config;
  }
  EXPECT_EQ(with(R"({"do_sample": true})").default_sampling().temperature, 1.0);
}

TEST_F(DefaultSamplingTest, RefusesValuesThatCannotBe) {
  for (const char* config :
       {R"({"do_sample": true, "top_p": 1.5})", R"({"do_sample": true, "temperature": "warm"})"}) {
    EXPECT_THROW(with(config), Error) << config;
  }
}

}  // namespace
}  // namespace laconic::test
