// SPDX-License-Identifier: Apache-2.0
// A decode step allocates nothing: counted by this program's own operator new.
#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

#include "engine/engine_testing.h"
#include "model/convert.h"
#include "model/decoder.h"
#include "test_paths.h"

namespace {

std::atomic<std::size_t> allocations = 0;

void* counted(std::size_t bytes, std::size_t alignment) noexcept {
  allocations.fetch_add(1, std::memory_order_relaxed);
  const std::size_t size = (bytes / alignment + 1) * alignment;
  return std::aligned_alloc(alignment, size);
}

}  // namespace

// Every form that is paired with a delete here: a sanitizer has forms of its own and wants memory
// to go the way it came. Arrays end in these, or in a sanitizer's pair. Not inlined: g++ would see
// free() beside a new of which it does not know that it is malloc().
[[gnu::noinline]] void* operator new(std::size_t bytes) {
  if (void* memory = counted(bytes, alignof(std::max_align_t))) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
  return counted(bytes, alignof(std::max_align_t));
}
[[gnu::noinline]] void* operator new(std::size_t bytes, std::align_val_t alignment) {
  if (void* memory = counted(bytes, static_cast<std::size_t>(alignment))) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::align_val_t) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
  std::free(memory);
}

namespace laconic::test {
namespace {

// One page has 64 rows: a new one is an allocation that is no step's own.
constexpr std::size_t kWarmUp = 4, kSteps = 40;

std::size_t allocations_of_forward(const KvOptions& kv, std::size_t sequences,
                                   std::size_t threads_count, DType type = DType::kF32) {
  const TemporaryFolder folder;
  make_random_model(known_model("tiny"), folder / "m.gguf", type, {}, /*seed=*/7);
  Checkpoint checkpoint = Checkpoint::open(folder / "m.gguf");
  const Weights weights = load_weights(checkpoint);
  Threads threads(threads_count);
  Decoder decoder(weights, threads);
  PagePool pool(page_bytes(kv_dtype(kv.type), weights.config.head_dim), std::size_t{64} << 20);
  std::vector<SequenceCache> caches;
  caches.reserve(sequences);
  std::vector<Segment> batch;
  const std::vector<std::int32_t> prompt = {5, 3, 7, 1}, next = {2};
  for (std::size_t i = 0; i < sequences; ++i) {
    SequenceCache& cache = caches.emplace_back(pool, weights.config.kv_shape(), kv);
    EXPECT_TRUE(cache.reserve(prompt.size(), /*prompt=*/true));
    batch.push_back({&cache, prompt, RowKind::kPrompt, LogitRows::kLast});
  }
  decoder.forward(batch);
  for (Segment& segment : batch) {
    EXPECT_TRUE(segment.cache->begin_generation());
    segment.ids = next;
    segment.kind = RowKind::kDecode;
  }
  std::size_t before = 0;
  for (std::size_t step = 0; step < kWarmUp + kSteps; ++step) {
    if (step == kWarmUp) before = allocations;
    for (Segment& segment : batch) EXPECT_TRUE(segment.cache->reserve(1, /*prompt=*/false));
    decoder.forward(batch);
    for (Segment& segment : batch) segment.cache->end_step();
  }
  return allocations - before;
}

TEST(Allocations, ADecodeStepHasNone) {
  for (const std::size_t threads : {1u, 2u}) {
    EXPECT_EQ(allocations_of_forward({}, 1, threads), 0u);
    EXPECT_EQ(allocations_of_forward({}, 3, threads), 0u);
    EXPECT_EQ(allocations_of_forward({}, 3, threads, DType::kQ8_0), 0u);
  }
}

// Sums and queries that a policy keeps grow with the rows, in steps that double.
TEST(Allocations, PoliciesGrowTheirMemoryInLargeSteps) {
  KvOptions kv = small_rpc(/*interval=*/1024, /*window=*/8, /*ratio=*/4.0);
  EXPECT_EQ(allocations_of_forward(kv, 1, 2), 0u);
  kv.policy = KvPolicy::kH2o;
  EXPECT_LE(allocations_of_forward(kv, 1, 2), 4 * kSteps);
}

TEST(Allocations, ASessionsStepHasNoneButForItsText) {
  Session session(tiny_model(), f32_rows());
  GenerateOptions options = greedy(kWarmUp + kSteps);
  options.sampling.temperature = 0.8;
  options.sampling.repeat_penalty = 1.1;
  session.add(std::vector<std::int32_t>{5, 3, 7, 1}, options);
  std::size_t steps = 0, before = 0;
  while (session.step()) {
    if (++steps == kWarmUp) before = allocations;
  }
  // Strings of the piece of text that the token is, and a queue of events.
  EXPECT_LE(allocations - before, 3 * kSteps);
}

}  // namespace
}  // namespace laconic::test
