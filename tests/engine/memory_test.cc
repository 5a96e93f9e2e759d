// SPDX-License-Identifier: Apache-2.0
// The bytes that the cache reports are the bytes that the process holds.
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "engine/engine_testing.h"

namespace laconic::test {
namespace {

#if defined(__has_feature)
constexpr bool kSanitized = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
constexpr bool kSanitized = false;
#endif

// Resident memory of this process that no file backs, in bytes: RssAnon of /proc/self/status.
std::size_t resident_anonymous() {
  std::ifstream status("/proc/self/status");
  std::string word;
  while (status >> word) {
    std::size_t kibibytes = 0;
    if (word == "RssAnon:" && status >> kibibytes) return kibibytes * 1024;
  }
  return 0;
}

// Few weights and wide rows, so that the cache is what fills the memory.
ModelConfig wide_rows() {
  ModelConfig config = known_model("tiny");
  config.layers = 4;
  config.heads = config.kv_heads = 8;
  config.head_dim = 128;
  return config;
}

TEST(Memory, ProcessGrowsByTheReportedPeak) {
  if (resident_anonymous() == 0) GTEST_SKIP() << "no RssAnon in /proc/self/status";
  if (kSanitized) GTEST_SKIP() << "sanitizers hold memory of their own";
  const TemporaryFolder folder;
  make_random_model(wide_rows(), folder / "wide.gguf", DType::kF32, {}, /*seed=*/3);
  const Model model = Model::open(folder / "wide.gguf");
  std::vector<std::int32_t> prompt(1200);
  for (std::size_t i = 0; i < prompt.size(); ++i) prompt[i] = static_cast<std::int32_t>(i % 200);

  SessionOptions options = f32_rows();
  options.kv_memory = std::size_t{1} << 30;
  options.batch_tokens = 64;
  {
    Session warm(model, options);  // weights paged in, scratch and primitives made once
    warm.generate(std::vector<std::int32_t>(130, 1), greedy(4));
  }
  const std::size_t before = resident_anonymous();
  Session session(model, options);
  const SequenceId id = session.add(prompt, greedy(100));
  while (session.step()) {
  }
  const auto grown = static_cast<double>(resident_anonymous() - before);
  const KvStats& kv = session.result(id).kv;
  const std::size_t rows = prompt.size() + 99;  // the last token is drawn and not read
  EXPECT_EQ(kv.bytes, rows * 4 * 8 * 2 * 128 * sizeof(float));
  EXPECT_EQ(kv.peak_bytes, kv.bytes);
  // Rows in whole pages of 64, and little else: positions, scratch, slabs not quite full; part of
  // it may be memory that the first session gave back.
  EXPECT_LT(kv.allocated_bytes, kv.bytes + std::size_t{64} * 4 * 8 * 2 * 128 * sizeof(float));
  EXPECT_GT(grown, 0.9 * static_cast<double>(kv.allocated_bytes));
  EXPECT_LT(grown, 1.15 * static_cast<double>(kv.allocated_bytes));
}

}  // namespace
}  // namespace laconic::test
