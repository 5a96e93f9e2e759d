// SPDX-License-Identifier: Apache-2.0
#include "train/tensor_memory.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <new>

#include "train/compat.h"

namespace laconic::train {
namespace {

constexpr std::int64_t kMiB = std::int64_t{1} << 20;

Tensor block(std::int64_t mebibytes) { return at::empty({mebibytes * kMiB}, at::kByte); }

void allow_more_memory(std::int64_t mebibytes) {
  std::size_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  const rlim_t now = pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const rlimit limit{now + static_cast<rlim_t>(mebibytes * kMiB), RLIM_INFINITY};
  ::setrlimit(RLIMIT_AS, &limit);
}

// In a process of its own: memory of tensors and limits are a whole process's.
TEST(TensorMemoryDeathTest, WhatWaitsIsFreedWhereMemoryRunsOut) {
  const auto waiting_blocks_help = [] {
    keep_tensor_memory();
    { const Tensor waits = block(256); }
    allow_more_memory(64);
    try {
      const Tensor smaller = block(200);
    } catch (const std::bad_alloc&) {
      std::_Exit(1);
    }
    try {
      const Tensor too_much = block(1000);
      std::_Exit(2);
    } catch (const std::bad_alloc&) {
      std::_Exit(0);
    }
  };
  EXPECT_EXIT(waiting_blocks_help(), ::testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace laconic::train
