// SPDX-License-Identifier: Apache-2.0
#include "kernels/system.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

#include "base/error.h"
#include "base/huge_pages.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/system.cc"
#include "kernels/simd_targets.h"
// Before the per-target headers.
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "kernels/widen-inl.h"

HWY_BEFORE_NAMESPACE();
namespace laconic {
namespace HWY_NAMESPACE {

// Reads every byte of [begin, end) words; the result only keeps the loads alive. Four chains and a
// prefetch 2 KiB ahead.
std::uint32_t read_all(const std::uint32_t* words, std::size_t begin, std::size_t end) {
  const U32 d;
  auto a = hn::Zero(d);
  auto b = hn::Zero(d);
  auto c = hn::Zero(d);
  auto e = hn::Zero(d);
  std::size_t i = begin;
  for (; i + 4 * kLanes <= end; i += 4 * kLanes) {
    hwy::Prefetch(words + i + 512);
    a = hn::Xor(a, hn::LoadU(d, words + i));
    b = hn::Xor(b, hn::LoadU(d, words + i + kLanes));
    c = hn::Xor(c, hn::LoadU(d, words + i + 2 * kLanes));
    e = hn::Xor(e, hn::LoadU(d, words + i + 3 * kLanes));
  }
  std::uint32_t rest = 0;
  for (; i < end; ++i) rest ^= words[i];
  const auto all = hn::Xor(hn::Xor(a, b), hn::Xor(c, e));
  return hn::GetLane(hn::SumOfLanes(d, all)) ^ rest;
}

}  // namespace HWY_NAMESPACE
}  // namespace laconic
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace laconic {

HWY_EXPORT(read_all);

namespace {

struct Free {
  void operator()(void* p) const { std::free(p); }
};

// Targets that this build has and this CPU runs, best first, whatever dispatch is restricted to.
std::vector<std::int64_t> available_targets() {
  const std::int64_t restricted = hwy::SupportedTargets();
  hwy::SetSupportedTargetsForTest(0);
  std::vector<std::int64_t> targets = hwy::SupportedAndGeneratedTargets();
  hwy::SetSupportedTargetsForTest(restricted);
  return targets;
}

// This version of Highway has no target with VNNI: a sub-level of AVX3 here, and a name of its own.
constexpr const char* kVnniName = "AVX3_VNNI";

bool cpu_has_vnni() {
#if HWY_ARCH_X86
  const std::vector<std::int64_t> targets = available_targets();
  return std::find(targets.begin(), targets.end(), HWY_AVX3) != targets.end() &&
         __builtin_cpu_supports("avx512vnni") != 0;
#else
  return false;
#endif
}

// Part of what dispatch is restricted to, which Highway keeps for the process too. Set before main:
// looking for targets lifts Highway's restriction for a moment, and no kernel may run meanwhile.
std::atomic<bool> vnni_chosen{cpu_has_vnni()};

}  // namespace

bool use_vnni() { return vnni_chosen.load(std::memory_order_relaxed); }

SimdTarget simd_target() {
  SimdTarget out;
  const std::vector<std::int64_t> chosen = hwy::SupportedAndGeneratedTargets();
  if (cpu_has_vnni()) out.available.push_back(kVnniName);
  for (std::int64_t target : available_targets()) out.available.push_back(hwy::TargetName(target));
  out.name = use_vnni() ? kVnniName : chosen.empty() ? "none" : hwy::TargetName(chosen.front());
#if HWY_ARCH_X86
  if (__builtin_cpu_supports("avx512vnni")) out.features.push_back("avx512vnni");
  if (__builtin_cpu_supports("avx512bf16")) out.features.push_back("avx512bf16");
#endif
  return out;
}

void force_simd_target(const std::string& name) {
  std::string known;
  if (cpu_has_vnni()) {
    known = kVnniName;
    if (name == kVnniName) {
      hwy::SetSupportedTargetsForTest(HWY_AVX3);
      vnni_chosen = true;
      return;
    }
  }
  for (std::int64_t target : available_targets()) {
    if (name == hwy::TargetName(target)) {
      hwy::SetSupportedTargetsForTest(target);
      vnni_chosen = false;
      return;
    }
    known += (known.empty() ? "" : ", ") + std::string(hwy::TargetName(target));
  }
  throw_usage("SIMD target \"{}\" is not available here, choose one of: {}", name, known);
}

struct BandwidthProbe::Buffer {
  std::unique_ptr<std::uint32_t, Free> words;
  std::size_t count = 0;
};

BandwidthProbe::BandwidthProbe(Threads& threads, std::size_t bytes)
    : threads_(threads), buffer_(std::make_unique<Buffer>()) {
  // Huge pages, as packed weights have them: the most that a reader gets is what they are held to.
  const std::size_t size = std::max<std::size_t>(bytes / kHugePage, 1) * kHugePage;
  buffer_->words.reset(static_cast<std::uint32_t*>(std::aligned_alloc(kHugePage, size)));
  if (!buffer_->words) {
    throw_resource("{} bytes for the bandwidth probe cannot be allocated", size);
  }
  advise_huge_pages(buffer_->words.get(), size);
  buffer_->count = size / sizeof(std::uint32_t);
  // Real pages, and on machines with several memory nodes near the thread that reads them.
  std::uint32_t* words = buffer_->words.get();
  threads.parallel_for(buffer_->count, 1, [&](std::size_t begin, std::size_t end, std::size_t) {
    std::fill(words + begin, words + end, 0x5a5a5a5au);
  });
}

BandwidthProbe::~BandwidthProbe() = default;

double BandwidthProbe::measure() {
  const auto kernel = HWY_DYNAMIC_DISPATCH(read_all);
  const std::uint32_t* words = buffer_->words.get();
  std::vector<std::uint32_t> results(threads_.size());  // keeps the reads from being dropped
  const auto start = std::chrono::steady_clock::now();
  threads_.parallel_for(buffer_->count, 1,
                        [&](std::size_t begin, std::size_t end, std::size_t thread) {
                          results[thread] = kernel(words, begin, end);
                        });
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  return static_cast<double>(buffer_->count * sizeof(std::uint32_t)) /
         std::max(seconds.count(), 1e-9);
}

double measure_read_bandwidth(Threads& threads, std::size_t bytes, std::size_t probes) {
  BandwidthProbe probe(threads, bytes);
  std::vector<double> rates(std::max<std::size_t>(probes, 1));
  for (double& rate : rates) rate = probe.measure();
  const auto middle = rates.begin() + static_cast<std::ptrdiff_t>(rates.size() / 2);
  std::nth_element(rates.begin(), middle, rates.end());
  return *middle;
}

}  // namespace laconic
#endif  // HWY_ONCE
