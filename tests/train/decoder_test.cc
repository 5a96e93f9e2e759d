// SPDX-License-Identifier: Apache-2.0
// The decoder against the engine, against each text alone, and against differences of its own loss.
#include "train/decoder.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "base/file.h"
#include "laconic/session.h"
#include "train/decoder_testing.h"

namespace laconic::train::test {
namespace {

// [1 + forced][vocab]: after the prompt of one token, and after each forced token.
Tensor engine_logits(const std::filesystem::path& folder, const std::vector<std::int32_t>& ids) {
  const Model model = Model::open(folder);
  SessionOptions options;
  options.threads = 2;
  options.kv_memory = std::size_t{16} << 20;
  options.kv.type = KvType::kF32;
  Session session(model, options);
  GenerateOptions generate;
  generate.force_ids.assign(ids.begin() + 1, ids.end());
  generate.keep_logits = true;
  const Generation got = session.generate({ids.data(), 1}, generate);
  std::vector<Tensor> rows;
  for (const auto& row : got.logits) rows.push_back(torch::tensor(row));
  return at::stack(rows);
}

struct Shape {
  const char* architecture;
  bool tied;
};
void PrintTo(const Shape& shape, std::ostream* out) { *out << shape.architecture; }

class DecoderShapes : public ::testing::TestWithParam<Shape> {
 protected:
  Decoder lively() const {
    Decoder decoder(small_config(GetParam().architecture, GetParam().tied), 1);
    make_lively(decoder, 5);
    return decoder;
  }
};

TEST_P(DecoderShapes, LogitsAreTheEngines) {
  const Decoder decoder = lively();
  const TemporaryFolder folder;
  decoder.save(folder.path(), "float32");
  const std::vector<std::int64_t> lengths{1, 70, 33};
  const PackedBatch batch = random_batch(lengths, decoder.config().vocab, 3);
  const Tensor logits = decoder.logits(batch, Precision::kF32);
  for (std::size_t t = 0; t < lengths.size(); ++t) {
    const Tensor ids = batch.ids.narrow(0, batch.starts[t], lengths[t]).to(at::kInt);
    const std::int32_t* first = ids.data_ptr<std::int32_t>();
    const Tensor expected = engine_logits(folder.path(), {first, first + ids.numel()});
    const Tensor got = logits.narrow(0, batch.starts[t], lengths[t]);
    EXPECT_GT(expected.abs().max().item<double>(), 1.0);
    EXPECT_LE(largest_difference(got, expected.narrow(0, 0, lengths[t])), 1e-4) << "text " << t;
  }
}

TEST_P(DecoderShapes, ATextAmongOthersIsTheTextAlone) {
  const Decoder decoder = lively();
  const std::vector<std::int64_t> lengths{40, 1, 25, 64};
  const PackedBatch batch = random_batch(lengths, decoder.config().vocab, 4);
  const Tensor together = decoder.logits(batch, Precision::kF32);
  for (std::size_t t = 0; t < lengths.size(); ++t) {
    const std::int64_t begin = batch.starts[t], count = lengths[t];
    const PackedBatch alone{batch.ids.narrow(0, begin, count),
                            batch.targets.narrow(0, begin, count),
                            batch.positions.narrow(0, begin, count),
                            {0, count}};
    EXPECT_LE(largest_difference(decoder.logits(alone, Precision::kF32),
                                 together.narrow(0, begin, count)),
              1e-5);
  }
}

TEST_P(DecoderShapes, LossIsTheMeanOverTargetsOfTheLogits) {
  const Decoder decoder = lively();
  const PackedBatch batch = random_batch({30, 50}, decoder.config().vocab, 6);
  const Tensor expected = at::cross_entropy_loss(decoder.logits(batch, Precision::kF32),
                                                 batch.targets, {}, at::Reduction::Mean, -1);
  EXPECT_NEAR(decoder.loss(batch, Precision::kF32).item<double>(), expected.item<double>(), 1e-5);
}

// Central differences of fourth order along a direction that mixes the gradient itself with noise:
// along the gradient the loss changes most, so that the rounding of an f32 loss (about 3e-7 of its
// value) counts least; the noise finds what the gradient has too little of. With a step that
// changes the loss by about 0.05 both errors are near 1e-5 / 0.05.
TEST_P(DecoderShapes, GradientIsTheSlopeOfTheLoss) {
  Decoder decoder = lively();
  const PackedBatch batch = random_batch({9, 30, 21}, decoder.config().vocab, 7);
  decoder.loss(batch, Precision::kF32).backward();
  at::Generator generator = at::detail::createCPUGenerator(11);
  const at::NoGradGuard no_grad;
  for (const auto& [name, parameter] : decoder.parameters()) {
    const Tensor gradient = parameter.grad().to(at::kDouble);
    const double norm = gradient.norm().item<double>();
    // A bias of the keys shifts all scores of a query alike before RoPE turns it; its gradient may
    // be small but never nothing.
    ASSERT_GT(norm, 1e-5) << name;
    for (int trial = 0; trial < 2; ++trial) {
      const Tensor noise = at::randn(gradient.sizes(), generator, at::kDouble);
      const Tensor direction = gradient / norm + noise / noise.norm();
      const double slope = (gradient * direction).sum().item<double>();
      const double step = std::min(0.02 / norm, 0.05);
      const Tensor kept = parameter.clone();
      Tensor values = parameter;
      const auto at_step = [&](double factor) {
        values.copy_(kept.to(at::kDouble) + direction * (factor * step));
        // What f32 made of the step, not what was asked for.
        return decoder.loss(batch, Precision::kF32).item<double>();
      };
      const double difference =
          (8.0 * (at_step(1) - at_step(-1)) - (at_step(2) - at_step(-2))) / (12.0 * step);
      values.copy_(kept);
      EXPECT_NEAR(difference, slope, 2e-3 * norm + 3e-6 / step) << name;
    }
  }
}

TEST_P(DecoderShapes, HalfPrecisionStaysNear) {
  const Decoder decoder = lively();
  const PackedBatch batch = random_batch({60, 45, 80}, decoder.config().vocab, 8);
  const auto gradients = [&](Precision precision) {
    std::vector<Tensor> parameters;
    for (const auto& [name, parameter] : decoder.parameters()) parameters.push_back(parameter);
    const Tensor loss = decoder.loss(batch, precision);
    return std::pair(loss.item<double>(), torch::autograd::grad({loss}, parameters));
  };
  const auto [loss, wide] = gradients(Precision::kF32);
  const auto [half_loss, half] = gradients(Precision::kBF16);
  EXPECT_NEAR(half_loss, loss, 0.01 * loss);
  for (std::size_t i = 0; i < wide.size(); ++i) {
    ASSERT_EQ(half[i].scalar_type(), at::kFloat);
    const double cosine =
        ((wide[i] * half[i]).sum() / (wide[i].norm() * half[i].norm())).item<double>();
    EXPECT_GT(cosine, 0.98) << decoder.parameters()[i].first;
  }
}

TEST_P(DecoderShapes, SavedIsLoaded) {
  const Decoder decoder = lively();
  const TemporaryFolder folder;
  decoder.save(folder.path(), "float32");
  const DecoderConfig config = DecoderConfig::from_json(
      parse_json(read_file(folder.path() / "config.json"), "config"), "config");
  Decoder loaded(config, 99);
  loaded.load_weights(folder.path());
  ASSERT_EQ(loaded.parameters().size(), decoder.parameters().size());
  for (std::size_t i = 0; i < decoder.parameters().size(); ++i) {
    EXPECT_EQ(loaded.parameters()[i].first, decoder.parameters()[i].first);
    EXPECT_TRUE(at::equal(loaded.parameters()[i].second, decoder.parameters()[i].second));
    EXPECT_TRUE(loaded.parameters()[i].second.is_leaf());
    EXPECT_TRUE(loaded.parameters()[i].second.requires_grad());
  }
}

INSTANTIATE_TEST_SUITE_P(All, DecoderShapes,
                         ::testing::Values(Shape{"qwen3", true}, Shape{"qwen2", false},
                                           Shape{"llama", false}),
                         [](const auto& shape) { return std::string(shape.param.architecture); });

TEST(Decoder, HalfPrecisionFilesHoldRoundedWeights) {
  Decoder decoder(small_config("qwen3"), 1);
  const TemporaryFolder folder;
  decoder.save(folder.path(), "bfloat16");
  Decoder loaded(decoder.config(), 2);
  loaded.load_weights(folder.path());
  for (std::size_t i = 0; i < decoder.parameters().size(); ++i) {
    const Tensor rounded = decoder.parameters()[i].second.to(at::kBFloat16).to(at::kFloat);
    EXPECT_TRUE(at::equal(loaded.parameters()[i].second, rounded));
  }
}

TEST(Decoder, BeginsFromSeedAndNameAlone) {
  const Decoder one(small_config("qwen3"), 1), same(small_config("qwen3"), 1);
  const Decoder other(small_config("qwen3"), 2), untied(small_config("qwen3", false), 1);
  for (std::size_t i = 0; i < one.parameters().size(); ++i) {
    const auto& [name, values] = one.parameters()[i];
    EXPECT_TRUE(at::equal(values, same.parameters()[i].second)) << name;
    EXPECT_TRUE(at::equal(values, untied.parameters()[i].second)) << name;
    if (values.dim() == 1) continue;
    EXPECT_FALSE(at::equal(values, other.parameters()[i].second)) << name;
  }
}

TEST(Decoder, TheSameBitsTwice) {
  const Decoder decoder(small_config("qwen3"), 1);
  const PackedBatch batch = random_batch({60, 45, 80}, decoder.config().vocab, 8);
  const auto gradients = [&] {
    std::vector<Tensor> parameters;
    for (const auto& [name, parameter] : decoder.parameters()) parameters.push_back(parameter);
    return torch::autograd::grad({decoder.loss(batch, Precision::kBF16)}, parameters);
  };
  const auto once = gradients(), twice = gradients();
  for (std::size_t i = 0; i < once.size(); ++i) EXPECT_TRUE(at::equal(once[i], twice[i]));
}

TEST(Decoder, NoTargetsGiveNoLossAndNoGradient) {
  const Decoder decoder(small_config("qwen3"), 1);
  PackedBatch batch = random_batch({12}, decoder.config().vocab, 8);
  batch.targets.fill_(-1);
  const Tensor loss = decoder.loss(batch, Precision::kBF16);
  EXPECT_EQ(loss.item<double>(), 0.0);
  loss.backward();
  for (const auto& [name, parameter] : decoder.parameters()) {
    EXPECT_EQ(parameter.grad().abs().max().item<double>(), 0.0) << name;
  }
}

TEST(Decoder, LossWithoutAGraphIsTheSame) {
  const Decoder decoder(small_config("qwen2"), 1);
  const PackedBatch batch = random_batch({30, 9}, decoder.config().vocab, 8);
  const Tensor with_graph = decoder.loss(batch, Precision::kBF16);
  const at::NoGradGuard no_grad;
  const Tensor without = decoder.loss(batch, Precision::kBF16);
  EXPECT_TRUE(with_graph.requires_grad());
  EXPECT_FALSE(without.requires_grad());
  EXPECT_EQ(with_graph.item<float>(), without.item<float>());
}

}  // namespace
}  // namespace laconic::train::test
