// SPDX-License-Identifier: Apache-2.0
// What RPC saves is saved by the process: the kernel's high-water mark of two processes, one per
// policy, differs by what the two runs report.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <optional>

#include "base/memory.h"
#include "engine/generation_compare.h"

namespace laconic::test {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#elif defined(__has_feature)
constexpr bool kSanitized = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
constexpr bool kSanitized = false;
#endif

// 64 KiB of rows per token.
ModelConfig wide_rows() {
  ModelConfig config = known_model("tiny");
  config.layers = 8;
  config.heads = config.kv_heads = 8;
  config.head_dim = 128;
  return config;
}

struct Peaks {
  std::size_t process = 0, reported = 0;
};

struct Run {
  KvOptions kv;
  std::size_t prompt = 16;
  std::int64_t tokens = 433;
};

Peaks generate(const std::filesystem::path& path, const Run& run) {
  const Model model = Model::open(path);
  SessionOptions options = f32_rows(/*threads=*/1);  // a team would not survive the fork
  options.kv_memory = std::size_t{1} << 30;
  options.kv = run.kv;
  Session session(model, options);
  const Generation result = session.generate(random_ids(run.prompt, 1), greedy(run.tokens));
  return {peak_process_memory(), result.kv.peak_allocated_bytes};
}

// In a process of its own, because a high-water mark never falls. Nothing when it failed.
std::optional<Peaks> peaks_of(const std::filesystem::path& path, const Run& run) {
  std::array<int, 2> ends{};
  if (::pipe(ends.data()) != 0) return std::nullopt;
  const ::pid_t child = ::fork();
  if (child == 0) {
    int status = 1;
    try {
      const Peaks peaks = generate(path, run);
      status = ::write(ends[1], &peaks, sizeof(peaks)) == sizeof(peaks) ? 0 : 1;
    } catch (...) {
      status = 2;
    }
    ::_exit(status);
  }
  ::close(ends[1]);
  Peaks peaks;
  const bool whole = ::read(ends[0], &peaks, sizeof(peaks)) == sizeof(peaks);
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  return whole && status == 0 ? std::optional(peaks) : std::nullopt;
}

KvOptions full_f32() {
  KvOptions full;
  full.type = KvType::kF32;
  return full;
}

class PeakMemory : public ::testing::Test {
 protected:
  void SetUp() override {
    if (peak_process_memory() == 0) GTEST_SKIP() << "no VmHWM in /proc/self/status";
    if (kSanitized) GTEST_SKIP() << "sanitizers hold memory of their own";
    make_random_model(wide_rows(), path_, DType::kBF16, {}, /*seed=*/3);
  }

  const TemporaryFolder folder_;
  const std::filesystem::path path_ = folder_ / "wide.gguf";
};

// Both runs end with nearly full pages (448 rows, and 123 before the last
// compression): of others only a part is resident. Each compression gives one page of two back,
// which the next interval must use again.
TEST_F(PeakMemory, OfTheProcessFallsByWhatRpcReports) {
  const auto all = peaks_of(path_, {full_f32()});
  const auto compressed = peaks_of(path_, {small_rpc(88, 16, 88)});
  ASSERT_TRUE(all && compressed);
  ASSERT_GT(all->reported, compressed->reported);
  const auto reported = static_cast<double>(all->reported - compressed->reported);
  EXPECT_GT(reported, 12.0 * 1024 * 1024) << "too small to be seen above the rest";
  const double process =
      static_cast<double>(all->process) - static_cast<double>(compressed->process);
  RecordProperty("process_over_reported", std::to_string(process / reported));
  EXPECT_NEAR(process, reported, 0.15 * reported);
}

// A prompt is read into pages, and at its end nearly all of it moves into blocks: these must take
// the place of the pages, not stand beside them.
TEST_F(PeakMemory, OfTheProcessDoesNotGrowByBlocks) {
  KvOptions constant = full_f32();
  constant.heads = "random:1";
  constant.sparsity = "1";
  constant.head_recent = 420;
  const auto all = peaks_of(path_, {full_f32(), 440, 4});
  const auto blocks = peaks_of(path_, {constant, 440, 4});
  ASSERT_TRUE(all && blocks);
  EXPECT_EQ(all->reported, blocks->reported) << "the prompt in pages is the peak of both";
  const auto reported = static_cast<double>(all->reported);
  EXPECT_GT(reported, 24.0 * 1024 * 1024) << "too small to be seen above the rest";
  EXPECT_NEAR(static_cast<double>(blocks->process), static_cast<double>(all->process),
              0.15 * reported);
}

}  // namespace
}  // namespace laconic::test
