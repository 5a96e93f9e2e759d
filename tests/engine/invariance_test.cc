// SPDX-License-Identifier: Apache-2.0
// Chunks, batches and threads change no bit: for every weight type and row type, and for what a
// policy keeps.
#include <gtest/gtest.h>

#include "engine/generation_compare.h"
#include "engine/k_quant_models.h"

namespace laconic::test {
namespace {

struct Types {
  DType weights;
  KvType rows;
};

std::string types_name(const ::testing::TestParamInfo<Types>& info) {
  return std::string(dtype_name(info.param.weights)) + "_weights_" +
         std::string(dtype_name(kv_dtype(info.param.rows))) + "_rows";
}

SessionOptions rows_of(KvType type, std::size_t threads = 2) {
  SessionOptions options = f32_rows(threads);
  options.kv.type = type;
  return options;
}

// Every promise of independence for one model.
void expect_independence(const Model& model, KvType rows) {
  const std::size_t vocab = model.info().vocab;
  const auto prompt = random_ids(75, 1, vocab);
  const GenerateOptions generate = forced(12, 2, vocab);
  const SessionOptions options = rows_of(rows);
  const Generation whole = Session(model, options).generate(prompt, generate);
  ASSERT_EQ(whole.logits.size(), 13u);

  for (const std::size_t chunk : {1u, 7u, 64u}) {
    SessionOptions chunked = options;
    chunked.batch_tokens = chunk;
    const Generation got = Session(model, chunked).generate(prompt, generate);
    EXPECT_EQ(largest_difference(got, whole), 0) << "chunks of " << chunk;
  }
  for (const std::size_t threads : {1u, 3u}) {
    const Generation got = Session(model, rows_of(rows, threads)).generate(prompt, generate);
    EXPECT_EQ(largest_difference(got, whole), 0) << threads << " threads";
  }
  SessionOptions mixed = options;
  mixed.batch_tokens = 20;  // some decode while others are still reading
  Session batch(model, mixed);
  batch.add(random_ids(3, 5, vocab), forced(30, 6, vocab));
  const SequenceId id = batch.add(prompt, generate);
  batch.add(random_ids(41, 7, vocab), forced(9, 8, vocab));
  while (batch.step()) {
  }
  EXPECT_EQ(largest_difference(batch.result(id), whole), 0) << "in a batch";
}

class InvarianceTest : public ::testing::TestWithParam<Types> {};

TEST_P(InvarianceTest, ChunksBatchesAndThreadsDoNotMatter) {
  const TemporaryFolder folder;
  make_random_model(known_model("tiny"), folder / "m.gguf", GetParam().weights, {}, /*seed=*/5);
  expect_independence(Model::open(folder / "m.gguf"), GetParam().rows);
}

INSTANTIATE_TEST_SUITE_P(
    Types, InvarianceTest,
    ::testing::Values(Types{DType::kF32, KvType::kF16}, Types{DType::kF32, KvType::kBF16},
                      Types{DType::kBF16, KvType::kF16}, Types{DType::kBF16, KvType::kBF16},
                      Types{DType::kF16, KvType::kF16}, Types{DType::kF16, KvType::kBF16},
                      Types{DType::kQ8_0, KvType::kF16}, Types{DType::kQ8_0, KvType::kBF16},
                      Types{DType::kF32, KvType::kQ8_0}, Types{DType::kQ8_0, KvType::kQ8_0},
                      Types{DType::kQ4_0, KvType::kF16}, Types{DType::kQ4_0, KvType::kBF16}),
    types_name);

class KQuantInvarianceTest : public ::testing::TestWithParam<TypeMix> {};

TEST_P(KQuantInvarianceTest, ChunksBatchesAndThreadsDoNotMatter) {
  const TemporaryFolder folder;
  make_random_model(k_quant_shape(Architecture::kLlama, true), folder / "m.gguf", GetParam(), {},
                    /*seed=*/5);
  const Model model = Model::open(folder / "m.gguf");
  expect_independence(model, KvType::kF16);
}

INSTANTIATE_TEST_SUITE_P(Mixes, KQuantInvarianceTest, ::testing::ValuesIn(k_quant_mixes()),
                         [](const auto& p) { return std::string(p.param.name()); });

// A trained model, with a context of 512 and columns that are no multiple of 32.
TEST(Invariance, HoldsForATrainedModel) {
  const auto path = shared_data() / "models/stories260K";
  LACONIC_NEEDS(path);
  const Model model = Model::open(path);
  for (const KvType rows : {KvType::kF32, KvType::kF16, KvType::kBF16}) {
    expect_independence(model, rows);
  }
}

// Rows of a thousand tokens and more: threads share heads, in as many ways as there are threads and
// sequences.
TEST(Invariance, HoldsWhereThreadsShareHeads) {
  const TemporaryFolder folder;
  make_random_model(known_model("tiny"), folder / "m.gguf", DType::kQ8_0, {}, /*seed=*/5);
  const Model model = Model::open(folder / "m.gguf");
  const std::size_t vocab = model.info().vocab;
  const auto prompt = random_ids(1100, 1, vocab);
  const GenerateOptions generate = forced(6, 2, vocab);
  for (const KvType rows : {KvType::kF16, KvType::kQ8_0}) {
    const Generation alone = Session(model, rows_of(rows, 1)).generate(prompt, generate);
    for (const std::size_t threads : {2u, 3u, 5u}) {
      const SessionOptions options = rows_of(rows, threads);
      const Generation got = Session(model, options).generate(prompt, generate);
      EXPECT_EQ(largest_difference(got, alone), 0) << threads << " threads";
    }
    Session batch(model, rows_of(rows, 3));
    for (std::uint32_t i = 0; i < 9; ++i) batch.add(random_ids(30, i, vocab), forced(40, i, vocab));
    const SequenceId id = batch.add(prompt, generate);
    while (batch.step()) {
    }
    EXPECT_EQ(largest_difference(batch.result(id), alone), 0) << "in a batch";
  }
}

struct Work {
  std::vector<std::int32_t> prompt;
  GenerateOptions generate;
};

std::vector<Work> ragged_work() {
  std::vector<Work> work;
  for (std::uint32_t i = 0; i < 5; ++i) {
    work.push_back({random_ids(3 + 11 * i, i), forced(90 - 13 * i, 10 + i)});
  }
  return work;
}

struct Outcome {
  KeepLists lists;
  std::vector<Generation> results;
};

// All work in one session, or each piece in a session of its own, numbered as in the batch.
Outcome run(const SessionOptions& options, bool together) {
  Outcome out;
  const std::vector<Work> work = ragged_work();
  if (together) {
    Session session(tiny_model(), options);
    trace_into(session, out.lists);
    for (const Work& w : work) session.add(w.prompt, w.generate);
    while (session.step()) {
    }
    for (SequenceId id = 0; id < work.size(); ++id) out.results.push_back(session.result(id));
    return out;
  }
  for (SequenceId id = 0; id < work.size(); ++id) {
    KeepLists own;
    Session session(tiny_model(), options);
    trace_into(session, own);
    out.results.push_back(session.generate(work[id].prompt, work[id].generate));
    for (auto& [key, kept] : own) {
      out.lists[{id, std::get<1>(key), std::get<2>(key), std::get<3>(key)}] = std::move(kept);
    }
  }
  return out;
}

struct Policy {
  const char* name;
  KvOptions kv;
};

class KeepListTest : public ::testing::TestWithParam<Policy> {
 protected:
  SessionOptions options(std::size_t batch_tokens, std::size_t threads) const {
    SessionOptions o = f32_rows(threads);
    o.kv = GetParam().kv;
    o.batch_tokens = batch_tokens;
    return o;
  }
};

TEST_P(KeepListTest, InARaggedBatchEqualsAloneBitForBit) {
  const Outcome alone = run(options(16, 2), false), batch = run(options(16, 2), true);
  ASSERT_FALSE(alone.lists.empty());
  EXPECT_EQ(batch.lists, alone.lists);
  for (std::size_t i = 0; i < alone.results.size(); ++i) {
    EXPECT_EQ(batch.results[i].logits, alone.results[i].logits) << "sequence " << i;
    EXPECT_EQ(batch.results[i].kv.rows, alone.results[i].kv.rows) << "sequence " << i;
  }
}

TEST_P(KeepListTest, ChunksAndThreadsDoNotMatter) {
  const Outcome want = run(options(512, 1), false);
  for (const std::size_t threads : {1u, 2u, 3u}) {
    const Outcome got = run(options(16, threads), true);
    EXPECT_EQ(got.lists, want.lists) << threads << " threads";
    for (std::size_t i = 0; i < want.results.size(); ++i) {
      EXPECT_EQ(got.results[i].kv.rows, want.results[i].kv.rows) << "sequence " << i;
      EXPECT_EQ(largest_difference(got.results[i], want.results[i]), 0)
          << threads << " threads, sequence " << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Policies, KeepListTest,
    ::testing::Values(Policy{"rpc_layer", small_rpc(16, 4, 4)},
                      Policy{"rpc_kv_head", small_rpc(16, 4, 4, KvGranularity::kKvHead)},
                      Policy{"random_layer", small_random(16, 4, 4)},
                      Policy{"random_kv_head", small_random(16, 4, 4, KvGranularity::kKvHead)}),
    [](const auto& p) { return p.param.name; });

}  // namespace
}  // namespace laconic::test
