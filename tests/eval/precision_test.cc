// SPDX-License-Identifier: Apache-2.0
// How far 8-bit arithmetic moves what a trained model predicts: KL(f32 || other) in nats, the mean
// over every step of texts that all models are made to read.
#include <gtest/gtest.h>

#include <fstream>

#include "base/file.h"
#include "base/json.h"
#include "eval/divergence.h"
#include "laconic/session.h"
#include "model/convert.h"
#include "test_paths.h"

namespace laconic::test {
namespace {

// What integer paths are allowed to cost. Measured: 3.4e-4 for the activations of q8_0 on stories,
// whose texts are sampled and full of close calls; 9e-6 on pocket, which is sure of most of what it
// writes.
constexpr double kBound = 1e-3;

struct Text {
  std::vector<std::int32_t> prompt, answer;
};
using Predictions = std::vector<Generation>;  // of each text, with the logits of each step

Predictions predictions(const Model& model, const std::vector<Text>& texts,
                        KvType rows = KvType::kF32) {
  SessionOptions options;
  options.threads = 2;
  options.kv_memory = std::size_t{256} << 20;
  options.kv.type = rows;
  Session session(model, options);
  for (const Text& text : texts) {
    GenerateOptions generate;
    generate.force_ids = text.answer;
    generate.keep_logits = true;
    session.add(text.prompt, generate);
  }
  while (session.step()) {
  }
  Predictions out;
  for (SequenceId id = 0; id < texts.size(); ++id) out.push_back(session.result(id));
  return out;
}

double mean_kl(const Predictions& exact, const Predictions& other) {
  double sum = 0;
  std::size_t steps = 0;
  Prediction p, q;
  for (std::size_t t = 0; t < exact.size(); ++t) {
    EXPECT_EQ(exact[t].logits.size(), other[t].logits.size());
    for (std::size_t i = 0; i < exact[t].logits.size(); ++i, ++steps) {
      predict(exact[t].logits[i], p);
      predict(other[t].logits[i], q);
      sum += kl_divergence(p, q);
    }
  }
  return sum / static_cast<double>(steps);
}

// One model on disk: as published, its q8_0 and q4_0 files, and the same weights widened to f32.
class Files {
 public:
  explicit Files(const std::filesystem::path& model) : model_(model) {
    for (const DType type : {DType::kQ8_0, DType::kQ4_0}) {
      const std::string name(dtype_name(type));
      write_gguf_checkpoint(Checkpoint::open(model), folder_ / (name + ".gguf"), type);
      write_gguf_checkpoint(Checkpoint::open(folder_ / (name + ".gguf")),
                            folder_ / (name + "-f32.gguf"), DType::kF32);
    }
    write_gguf_checkpoint(Checkpoint::open(model), folder_ / "f32.gguf", DType::kF32);
  }
  // KL of the integer products alone: the weights are the same numbers on both sides.
  double activations(const std::vector<Text>& texts, const std::string& type) const {
    return mean_kl(predictions(Model::open(folder_ / (type + "-f32.gguf")), texts),
                   predictions(Model::open(folder_ / (type + ".gguf")), texts));
  }
  // Of `--quantize q8_0`: the weights are rounded as well.
  double quantize(const std::vector<Text>& texts) const {
    return mean_kl(predictions(wide(), texts),
                   predictions(Model::open(model_, {"q8_0", ""}), texts));
  }
  double rows(const std::vector<Text>& texts, KvType type) const {
    const Model model = wide();
    return mean_kl(predictions(model, texts), predictions(model, texts, type));
  }

 private:
  Model wide() const { return Model::open(folder_ / "f32.gguf"); }
  std::filesystem::path model_;
  TemporaryFolder folder_;
};

// In millionths of a nat.
void expect_small(const char* what, double kl) {
  ::testing::Test::RecordProperty(what, std::to_string(kl * 1e6));
  EXPECT_GT(kl, 1e-9) << what << ": nothing was compared";
  EXPECT_LT(kl, kBound) << what;
}

void expect_harmless_products(const Files& files, const std::vector<Text>& texts) {
  expect_small("q8_0_activations", files.activations(texts, "q8_0"));
  expect_small("q4_0_activations", files.activations(texts, "q4_0"));
  expect_small("quantize_q8_0", files.quantize(texts));
}

TEST(Precision, OfIntegerProductsOnStories) {
  const auto path = shared_data() / "models" / "stories260K";
  LACONIC_NEEDS(path);
  const Json expected = parse_json(read_file(path / "expected.json"), "expected.json");
  std::vector<Text> texts = {{expected["prompt_ids"].get<std::vector<std::int32_t>>(),
                              expected["greedy_ids"].get<std::vector<std::int32_t>>()}};
  // And other stories of its own: sampled ones are full of close calls.
  const Model model = Model::open(path);
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    GenerateOptions generate;
    generate.max_tokens = 250;
    generate.sampling.temperature = 1;
    generate.sampling.seed = seed;
    SessionOptions options;
    options.threads = 2;
    const std::vector<std::int32_t> prompt = texts.front().prompt;
    texts.push_back({prompt, Session(model, options).generate(prompt, generate).ids});
    ASSERT_FALSE(texts.back().answer.empty());
  }
  expect_harmless_products(Files(path), texts);
}

// Worked problems of the kind that it was trained on, each as a chat.
std::vector<Text> worked_problems(const std::filesystem::path& folder, std::size_t count) {
  const Model model = Model::open(folder);
  std::ifstream lines(folder / "test.jsonl");
  std::vector<Text> texts;
  for (std::string line; texts.size() < count && std::getline(lines, line);) {
    const Json problem = parse_json(line, "test.jsonl");
    const ChatMessage message{"user", problem["question"].get<std::string>()};
    texts.push_back({model.tokenize(model.apply_chat_template({&message, 1}), false),
                     model.tokenize(problem["answer"].get<std::string>(), false)});
  }
  return texts;
}

TEST(SlowPrecision, OfIntegerProductsAndRowsOnPocket) {
  const auto path = test_data().parent_path().parent_path() / "models" / "pocket";
  LACONIC_NEEDS(path);
  const std::vector<Text> texts = worked_problems(path, 10);
  ASSERT_EQ(texts.size(), 10u);
  const Files files(path);
  expect_harmless_products(files, texts);
  expect_small("q8_0_rows", files.rows(texts, KvType::kQ8_0));
}

}  // namespace
}  // namespace laconic::test
