// SPDX-License-Identifier: Apache-2.0
// Whole models of K-quants: the answers of the same weights in f32, and quantised again at load.
#include <gtest/gtest.h>

#include "engine/generation_compare.h"
#include "engine/k_quant_models.h"
#include "kernels/quantize.h"
#include "laconic/error.h"

namespace laconic::test {
namespace {

struct Case {
  Architecture architecture;
  bool tied;
  TypeMix mix;
};

std::string case_name(const ::testing::TestParamInfo<Case>& info) {
  return std::string(architecture_name(info.param.architecture)) +
         (info.param.tied ? "_tied_" : "_untied_") + std::string(info.param.mix.name());
}

// The same file with every tensor widened, tensor by tensor in the file's own order of rows, so
// that nothing which reads a model has a part in it.
void widen_file(const std::filesystem::path& from, const std::filesystem::path& to) {
  const GgufFile file(from);
  std::vector<GgufTensorPlan> plans;
  for (const std::string& name : file.names()) {
    plans.push_back({name, DType::kF32, file.tensor(name).shape});
  }
  write_gguf(to, file.metadata(), plans, [&](std::size_t i) {
    const TensorView tensor = file.tensor(plans[i].name);
    std::size_t count = 1;
    for (const std::size_t dim : tensor.shape) count *= dim;
    std::vector<std::byte> bytes(count * sizeof(float));
    dequantize(tensor.type, tensor.bytes.data(), count, reinterpret_cast<float*>(bytes.data()));
    return bytes;
  });
}

Generation generate(const Model& model) {
  return Session(model, f32_rows()).generate(random_ids(20, 1), forced(20, 2));
}

class KQuantModelTest : public ::testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    const Case& c = GetParam();
    make_random_model(k_quant_shape(c.architecture, c.tied), folder_ / "k.gguf", c.mix, {}, 9);
    widen_file(folder_ / "k.gguf", folder_ / "f32.gguf");
  }
  TemporaryFolder folder_;
};

// Weights are the same numbers in both, so that only the rounding of activations to 8 bits is
// between them. Measured: 0.9 to 2.6 % of the logits. Another order of rows, scale or minimum costs
// tens of per cent.
TEST_P(KQuantModelTest, AnswersAsTheSameWeightsInF32) {
  const Model model = Model::open(folder_ / "k.gguf");
  const Model wide = Model::open(folder_ / "f32.gguf");
  EXPECT_LT(model.info().weight_bytes, wide.info().weight_bytes / 4);
  const Generation got = generate(model), exact = generate(wide);
  const double change = relative_change(got, exact);
  RecordProperty("change", std::to_string(change));
  EXPECT_GT(change, 1e-4) << "nothing was rounded: these are not the packed products";
  EXPECT_LT(change, 0.04);
  // Random blocks are scaled so that a model of them stays in the range of real ones.
  EXPECT_GT(largest_logit(exact), 0.1);
  EXPECT_LT(largest_logit(exact), 100);
}

TEST_P(KQuantModelTest, QuantizesAgainWhileLoading) {
  const Model loaded = Model::open(folder_ / "k.gguf", {"q8_0", ""});
  write_gguf_checkpoint(Checkpoint::open(folder_ / "k.gguf"), folder_ / "q8.gguf", DType::kQ8_0);
  const Model file = Model::open(folder_ / "q8.gguf");
  EXPECT_TRUE(loaded.info().not_quantized.empty());
  EXPECT_EQ(loaded.info().weight_bytes, file.info().weight_bytes);
  const Generation got = generate(loaded);
  EXPECT_EQ(got.logits, generate(file).logits);
  EXPECT_LT(relative_change(got, generate(Model::open(folder_ / "f32.gguf"))), 0.06);
}

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const Architecture architecture : {Architecture::kLlama, Architecture::kQwen3}) {
    for (const bool tied : {true, false}) {
      for (const TypeMix& mix : k_quant_mixes()) all.push_back({architecture, tied, mix});
    }
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(Cases, KQuantModelTest, ::testing::ValuesIn(cases()), case_name);

TEST(KQuantModel, IsReadAndNotWritten) {
  const TemporaryFolder folder;
  make_random_model(k_quant_shape(Architecture::kQwen3, true), folder / "k.gguf", DType::kQ4_K, {},
                    9);
  try {
    write_gguf_checkpoint(Checkpoint::open(folder / "k.gguf"), folder / "o.gguf", DType::kQ6_K);
    FAIL() << "no error";
  } catch (const Error& refused) {
    EXPECT_EQ(refused.kind(), ErrorKind::kUsage);
    EXPECT_EQ(std::string(refused.what()), "q6_k is read but not written");
  }
}

}  // namespace
}  // namespace laconic::test
