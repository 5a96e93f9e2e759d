// SPDX-License-Identifier: Apache-2.0
#include "base/threads.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <atomic>
#include <mutex>
#include <stdexcept>
#include <vector>

namespace laconic {
namespace {

struct Range {
  std::size_t begin, end, thread;
};

std::vector<Range> ranges_of(Threads& threads, std::size_t n, std::size_t grain) {
  std::mutex mutex;
  std::vector<Range> ranges;
  threads.parallel_for(n, grain, [&](std::size_t begin, std::size_t end, std::size_t thread) {
    const std::lock_guard lock(mutex);
    ranges.push_back({begin, end, thread});
  });
  return ranges;
}

RC_GTEST_PROP(Threads, RangesCoverEachItemOnce, ()) {
  const auto count = *rc::gen::inRange<std::size_t>(1, 6);
  const auto n = *rc::gen::inRange<std::size_t>(0, 200);
  const auto grain = *rc::gen::inRange<std::size_t>(0, 50);
  Threads threads(count);
  RC_ASSERT(threads.size() == count);
  std::vector<int> visits(n);
  std::vector<int> uses(count);
  for (const Range& range : ranges_of(threads, n, grain)) {
    RC_ASSERT(range.begin < range.end);
    RC_ASSERT(range.end <= n);
    RC_ASSERT(range.end - range.begin >= std::min(grain, n));
    RC_ASSERT(range.thread < count);
    RC_ASSERT(++uses[range.thread] == 1);
    for (std::size_t i = range.begin; i < range.end; ++i) ++visits[i];
  }
  RC_ASSERT(visits == std::vector<int>(n, 1));
}

TEST(Threads, WorkIsSplitWhereThereIsEnough) {
  Threads threads(3);
  EXPECT_EQ(ranges_of(threads, 9, 1).size(), 3u);
  EXPECT_EQ(ranges_of(threads, 9, 5).size(), 1u);
  EXPECT_EQ(ranges_of(threads, 0, 1).size(), 0u);
}

TEST(Threads, ZeroMeansEveryCore) {
  EXPECT_GE(available_cores(), 1u);
  EXPECT_EQ(Threads(0).size(), available_cores());
}

TEST(Threads, AnExceptionComesBackAfterTheOthersEnded) {
  Threads threads(4);
  for (std::size_t thrower = 0; thrower < 4; ++thrower) {
    std::atomic<int> ended = 0;
    try {
      threads.parallel_for(4, 1, [&](std::size_t begin, std::size_t, std::size_t) {
        if (begin == thrower) throw std::runtime_error("from a range");
        ++ended;
      });
      FAIL() << "nothing was thrown";
    } catch (const std::runtime_error& failure) {
      EXPECT_STREQ(failure.what(), "from a range");
    }
    EXPECT_EQ(ended, 3);
  }
  EXPECT_EQ(ranges_of(threads, 4, 1).size(), 4u);  // the team still works
}

TEST(Threads, OneThreadThrowsToo) {
  Threads threads(1);
  EXPECT_THROW(threads.parallel_for(
                   2, 1, [](std::size_t, std::size_t, std::size_t) { throw std::logic_error(""); }),
               std::logic_error);
}

TEST(Threads, NestedCallsRunAloneOnTheirThread) {
  Threads threads(3);
  std::atomic<std::size_t> items = 0, calls = 0;
  threads.parallel_for(3, 1, [&](std::size_t, std::size_t, std::size_t) {
    threads.parallel_for(10, 1, [&](std::size_t begin, std::size_t end, std::size_t thread) {
      EXPECT_EQ(thread, 0u);
      items += end - begin;
      ++calls;
    });
  });
  EXPECT_EQ(items, 30u);
  EXPECT_EQ(calls, 3u);
}

TEST(Threads, ManyCallsInARow) {
  Threads threads(2);
  std::vector<std::size_t> sums(2);
  for (int call = 0; call < 2000; ++call) {
    threads.parallel_for(2, 1, [&](std::size_t begin, std::size_t end, std::size_t) {
      for (std::size_t i = begin; i < end; ++i) ++sums[i];
    });
  }
  EXPECT_EQ(sums, (std::vector<std::size_t>{2000, 2000}));
}

}  // namespace
}  // namespace laconic
