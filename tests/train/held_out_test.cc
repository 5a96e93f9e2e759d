// SPDX-License-Identifier: Apache-2.0
#include "train/held_out.h"

#include <gtest/gtest.h>

#include <stdexcept>

#include "data/problem.h"
#include "data/vocabulary_folder.h"
#include "test_paths.h"
#include "text/tokenizer.h"
#include "train/model_folder.h"

namespace laconic::train {
namespace {

// A model of random weights that knows how it is asked, and nothing else.
class EvaluateHeldOut : public ::testing::Test {
 protected:
  EvaluateHeldOut() {
    BpeTrainer trainer(chat_vocabulary(320));
    trainer.add(solution_text(make_problem({}, 0)));
    write_vocabulary_folder(words(), trainer.tokenizer_json());
    DecoderConfig config;
    config.architecture = "qwen3";
    config.vocab = static_cast<std::int64_t>(Tokenizer::from_directory(words()).vocab_size());
    config.hidden = config.intermediate = 16;
    config.layers = config.kv_heads = 1;
    config.heads = 2;
    config.head_dim = 8;
    config.context = 8192;
    write_model_folder(Decoder(config, 1), words(), model());
    recipe_.evaluate.problems = 2;
    recipe_.evaluate.max_tokens = 5;
  }
  std::filesystem::path words() const { return place_ / "words"; }
  std::filesystem::path model() const { return place_ / "model"; }

  laconic::test::TemporaryFolder place_;
  Recipe recipe_;
};

TEST_F(EvaluateHeldOut, AsksTheSameProblemsOfEveryFamily) {
  std::size_t steps = 0;
  const HeldOut result = evaluate_held_out(model(), recipe_, 1, [&] { ++steps; });
  EXPECT_GE(steps, 5u);
  ASSERT_EQ(result.families.size(), std::size(kProblemFamilies));
  for (const HeldOutFamily& family : result.families) {
    EXPECT_EQ(family.problems, 2u) << family.family;
    EXPECT_EQ(family.correct, 0u) << family.family;
    EXPECT_GT(family.tokens, 0u) << family.family;
    EXPECT_LE(family.tokens, 10u) << family.family;
  }
  EXPECT_EQ(evaluate_held_out(model(), recipe_, 1).to_json(), result.to_json());
}

TEST_F(EvaluateHeldOut, AsksOnlyTheRecipesFamilies) {
  recipe_.data.families = {"passcode"};
  const HeldOut result = evaluate_held_out(model(), recipe_, 1);
  ASSERT_EQ(result.families.size(), 1u);
  EXPECT_EQ(result.families[0].family, "passcode");
}

TEST_F(EvaluateHeldOut, EndsWithWhatAStepThrows) {
  const auto throws = [] { throw std::logic_error("stop"); };
  EXPECT_THROW(evaluate_held_out(model(), recipe_, 1, throws), std::logic_error);
}

TEST(HeldOut, CountsOverAllProblems) {
  const HeldOut result{{{"ledger", 4, 1, 40}, {"passcode", 1, 1, 30}}};
  EXPECT_DOUBLE_EQ(result.accuracy(), 0.4);
  EXPECT_EQ(result.to_json().dump(),
            R"({"accuracy":0.4,"families":{"ledger":{"problems":4,"correct":1,"accuracy":0.25,)"
            R"("mean_tokens":10.0},"passcode":{"problems":1,"correct":1,"accuracy":1.0,)"
            R"("mean_tokens":30.0}}})");
  EXPECT_DOUBLE_EQ(HeldOut{}.accuracy(), 0.0);
}

}  // namespace
}  // namespace laconic::train
