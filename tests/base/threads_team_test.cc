// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <vector>

#include "base/threads.h"

namespace laconic {
namespace {

using namespace std::chrono_literals;

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

RC_GTEST_PROP(ThreadsTeam, RangesCoverEachItemOnce, ()) {
  const auto count = *rc::gen::inRange<std::size_t>(1, 6);
  Threads threads(count);
  const auto sizes = *rc::gen::container<std::vector<std::size_t>>(rc::gen::inRange(0, 200));
  const auto grain = *rc::gen::inRange<std::size_t>(0, 50);
  threads.with_team([&] {
    for (const std::size_t n : sizes) {
      std::vector<int> visits(n);
      for (const Range& range : ranges_of(threads, n, grain)) {
        RC_ASSERT(range.begin < range.end);
        RC_ASSERT(range.end <= n);
        RC_ASSERT(range.end - range.begin >= std::min(grain, n));
        RC_ASSERT(range.thread < count);
        for (std::size_t i = range.begin; i < range.end; ++i) ++visits[i];
      }
      RC_ASSERT(visits == std::vector<int>(n, 1));
    }
  });
}

// Each holds its range until all others are held, so every thread has one; scratch memory is kept
// per thread, so their numbers differ.
TEST(ThreadsTeam, AllTakePartUnderTheirOwnNumbers) {
  Threads threads(4);
  threads.with_team([&] {
    for (int call = 0; call < 20; ++call) {
      std::atomic<int> arrived = 0;
      std::vector<std::atomic<int>> uses(4);
      threads.parallel_for(4, 1, [&](std::size_t, std::size_t, std::size_t thread) {
        ++uses[thread];
        ++arrived;
        while (arrived < 4) std::this_thread::yield();
      });
      for (const std::atomic<int>& of_one : uses) EXPECT_EQ(of_one, 1);
    }
  });
}

// One that sits on a range keeps nobody from the rest.
TEST(ThreadsTeam, WhatASlowThreadLeavesIsTakenByOthers) {
  Threads threads(2);
  threads.with_team([&] {
    std::atomic<std::size_t> done = 0;
    threads.parallel_for(8, 1, [&](std::size_t begin, std::size_t end, std::size_t) {
      while (begin == 0 && done < 7) std::this_thread::yield();
      done += end - begin;
    });
    EXPECT_EQ(done, 8u);
  });
}

// 50 ms are far longer than anyone spins: the others sleep when a job comes, and the leader sleeps
// when its last range ends.
TEST(ThreadsTeam, SleepersComeBack) {
  Threads threads(3);
  threads.with_team([&] {
    for (int call = 0; call < 3; ++call) {
      std::this_thread::sleep_for(50ms);
      std::atomic<int> arrived = 0;
      threads.parallel_for(3, 1, [&](std::size_t, std::size_t, std::size_t thread) {
        ++arrived;
        while (arrived < 3) std::this_thread::yield();
        if (thread > 0) std::this_thread::sleep_for(50ms);
      });
    }
  });
}

TEST(ThreadsTeam, ManyTinyRegions) {
  for (const std::size_t count : {1u, 2u, 3u, 7u}) {
    Threads threads(count);
    std::vector<std::size_t> sums(32);
    threads.with_team([&] {
      for (int call = 0; call < 10000; ++call) {
        threads.parallel_for(sums.size(), 1, [&](std::size_t begin, std::size_t end, std::size_t) {
          for (std::size_t i = begin; i < end; ++i) ++sums[i];
        });
      }
    });
    EXPECT_EQ(sums, std::vector<std::size_t>(32, 10000)) << count;
  }
}

TEST(ThreadsTeam, ManyTeamsInARow) {
  Threads threads(3);
  std::vector<std::size_t> sums(3);
  const auto add = [&](std::size_t begin, std::size_t end, std::size_t) {
    for (std::size_t i = begin; i < end; ++i) ++sums[i];
  };
  for (int round = 0; round < 100; ++round) {
    threads.with_team([&] {
      for (int call = 0; call < round % 4; ++call) threads.parallel_for(3, 1, add);
    });
    threads.parallel_for(3, 1, add);
  }
  EXPECT_EQ(sums, std::vector<std::size_t>(3, 250));
}

TEST(ThreadsTeam, BodyRunsOnTheCallingThread) {
  for (const std::size_t count : {1u, 3u}) {
    Threads threads(count);
    const std::thread::id here = std::this_thread::get_id();
    std::thread::id seen;
    threads.with_team([&] { seen = std::this_thread::get_id(); });
    EXPECT_EQ(seen, here);
  }
}

TEST(ThreadsTeam, AnExceptionOfTheBodyComesBack) {
  for (const std::size_t count : {1u, 3u}) {
    Threads threads(count);
    const auto fail = [&] {
      threads.with_team([&] {
        ranges_of(threads, 9, 1);
        throw std::runtime_error("from the body");
      });
    };
    EXPECT_THROW(fail(), std::runtime_error);
    EXPECT_THROW(fail(), std::runtime_error);
    EXPECT_EQ(ranges_of(threads, 3, 1).size(), count);  // outside of a team again
  }
}

TEST(ThreadsTeam, AnExceptionOfARangeComesBackAfterTheOthersEnded) {
  Threads threads(4);
  threads.with_team([&] {
    for (std::size_t thrower = 0; thrower < 16; ++thrower) {
      std::atomic<int> ended = 0;
      try {
        threads.parallel_for(16, 1, [&](std::size_t begin, std::size_t, std::size_t) {
          if (begin == thrower) throw std::runtime_error("from a range");
          ++ended;
        });
        ADD_FAILURE() << "nothing was thrown";
      } catch (const std::runtime_error& failure) {
        EXPECT_STREQ(failure.what(), "from a range");
      }
      EXPECT_EQ(ended, 15);
    }
    EXPECT_EQ(ranges_of(threads, 16, 1).size(), 16u);  // the team still works
  });
}

TEST(ThreadsTeam, AnExceptionOfARangeLeavesTheBody) {
  Threads threads(3);
  EXPECT_THROW(threads.with_team([&] {
    threads.parallel_for(3, 1, [](std::size_t, std::size_t, std::size_t) {
      throw std::logic_error("from every range");
    });
  }),
               std::logic_error);
  EXPECT_EQ(ranges_of(threads, 3, 1).size(), 3u);
}

TEST(ThreadsTeam, CallsWithinARangeRunAlone) {
  Threads threads(3);
  std::atomic<std::size_t> items = 0, bodies = 0;
  threads.with_team([&] {
    threads.parallel_for(3, 1, [&](std::size_t, std::size_t, std::size_t) {
      const std::thread::id here = std::this_thread::get_id();
      const auto count = [&](std::size_t begin, std::size_t end, std::size_t thread) {
        EXPECT_EQ(thread, 0u);
        EXPECT_EQ(std::this_thread::get_id(), here);
        items += end - begin;
      };
      threads.parallel_for(10, 1, count);
      threads.with_team([&] {
        ++bodies;
        threads.parallel_for(10, 1, count);
      });
    });
    EXPECT_EQ(ranges_of(threads, 12, 1).size(), 12u);  // the leader leads again
  });
  EXPECT_EQ(items, 60u);
  EXPECT_EQ(bodies, 3u);
}

TEST(ThreadsTeam, ATeamWithinATeamIsTheSame) {
  Threads threads(3);
  threads.with_team([&] {
    threads.with_team([&] { EXPECT_EQ(ranges_of(threads, 12, 1).size(), 12u); });
    EXPECT_THROW(threads.with_team([] { throw std::runtime_error("inner"); }), std::runtime_error);
    EXPECT_EQ(ranges_of(threads, 12, 1).size(), 12u);
  });
}

TEST(ThreadsTeam, AnotherTeamWithinATeamRunsAlone) {
  Threads threads(2), others(2);
  threads.with_team([&] {
    EXPECT_EQ(ranges_of(others, 2, 1).size(), 1u);
    others.with_team([&] { EXPECT_EQ(ranges_of(others, 8, 1).size(), 1u); });
    EXPECT_EQ(ranges_of(threads, 8, 1).size(), 8u);
  });
}

TEST(ThreadsTeam, TwoLeadersDoNotMeet) {
  Threads threads(2);
  const auto lead = [&](std::vector<int>& sums) {
    for (int round = 0; round < 500; ++round) {
      threads.with_team([&] {
        for (int call = 0; call < 3; ++call) {
          threads.parallel_for(sums.size(), 1,
                               [&](std::size_t begin, std::size_t end, std::size_t) {
                                 for (std::size_t i = begin; i < end; ++i) ++sums[i];
                               });
        }
      });
    }
  };
  std::vector<int> here(8), there(8);
  std::atomic<bool> started = false;
  std::thread other([&] {
    started = true;
    lead(there);
  });
  while (!started) std::this_thread::yield();
  lead(here);
  other.join();
  EXPECT_EQ(here, std::vector<int>(8, 1500));
  EXPECT_EQ(there, std::vector<int>(8, 1500));
}

// Spinning for a thread that waits for this core would take a scheduler's slice for each region.
TEST(ThreadsTeam, MoreThreadsThanCoresFinishAtASanePace) {
  Threads threads(8 * available_cores());
  std::atomic<std::size_t> items = 0;
  const auto start = std::chrono::steady_clock::now();
  threads.with_team([&] {
    for (int call = 0; call < 200; ++call) {
      threads.parallel_for(
          1000, 1, [&](std::size_t begin, std::size_t end, std::size_t) { items += end - begin; });
    }
  });
  EXPECT_EQ(items, 200'000u);
  EXPECT_LT(std::chrono::steady_clock::now() - start, 30s);
}

}  // namespace
}  // namespace laconic
