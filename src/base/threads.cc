// SPDX-License-Identifier: Apache-2.0
#include <sched.h>

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/team.h"
#include "base/threads.h"

namespace laconic {
namespace {

thread_local bool inside_parallel_region = false;

// The team whose leader this thread is just now; not while it computes a range.
thread_local Team* led_here = nullptr;

class Leading {
 public:
  explicit Leading(Team* team) : before_(std::exchange(led_here, team)) {}
  ~Leading() { led_here = before_; }
  Leading(const Leading&) = delete;
  Leading& operator=(const Leading&) = delete;

 private:
  Team* before_;
};

}  // namespace

// Sleep between calls, except within with_team.
struct Threads::Workers {
  explicit Workers(std::size_t extra) {
    threads.reserve(extra);
    try {
      for (std::size_t i = 0; i < extra; ++i) {
        threads.emplace_back([this, index = i + 1] { work(index); });
      }
    } catch (const std::system_error&) {
      const std::size_t started = threads.size();
      end();
      throw_resource("{} threads cannot be started: the system gave {}", extra + 1, started + 1);
    } catch (...) {
      end();
      throw;
    }
  }
  ~Workers() { end(); }

  void end() {
    {
      std::lock_guard lock(mutex);
      stop = true;
    }
    wake.notify_all();
    for (std::thread& thread : threads) thread.join();
  }

  void do_range(std::size_t range) {
    try {
      function(context, items * range / ranges, items * (range + 1) / ranges, range);
    } catch (...) {
      std::lock_guard lock(mutex);
      if (!failure) failure = std::current_exception();
    }
  }

  void work(std::size_t index) {
    inside_parallel_region = true;
    std::size_t seen = 0;
    for (;;) {
      {
        std::unique_lock lock(mutex);
        wake.wait(lock, [&] { return stop || generation != seen; });
        if (stop) return;
        seen = generation;
      }
      if (index < ranges) do_range(index);
      std::lock_guard lock(mutex);
      if (--pending == 0) done.notify_one();
    }
  }

  std::mutex call;  // one parallel_for at a time
  std::mutex mutex;
  std::condition_variable wake, done;
  std::vector<std::thread> threads;
  RangeFunction function = nullptr;
  void* context = nullptr;
  std::size_t items = 0, ranges = 0, pending = 0, generation = 0;
  std::exception_ptr failure;
  bool stop = false;
};

Threads::Threads(std::size_t count) : count_(count == 0 ? available_cores() : count) {
  if (count_ == 1) return;
  team_ = std::make_unique<Team>(count_);
  workers_ = std::make_unique<Workers>(count_ - 1);
}
Threads::~Threads() = default;

void Threads::run_region(std::size_t n, std::size_t grain, RangeFunction function, void* context) {
  if (n == 0) return;
  const std::size_t ranges =
      std::clamp<std::size_t>(n / std::max<std::size_t>(grain, 1), 1, count_);
  if (ranges == 1 || inside_parallel_region) {
    function(context, 0, n, 0);
    return;
  }
  Workers& team = *workers_;
  std::lock_guard one_at_a_time(team.call);
  {
    std::lock_guard lock(team.mutex);
    team.function = function;
    team.context = context;
    team.items = n;
    team.ranges = ranges;
    team.pending = team.threads.size();
    team.failure = nullptr;
    ++team.generation;
  }
  team.wake.notify_all();
  inside_parallel_region = true;
  team.do_range(0);
  inside_parallel_region = false;
  std::unique_lock lock(team.mutex);
  team.done.wait(lock, [&] { return team.pending == 0; });
  if (team.failure) std::rethrow_exception(team.failure);
}

void Threads::run(std::size_t n, std::size_t grain, RangeFunction function, void* context) {
  if (led_here == nullptr || led_here != team_.get()) {
    return run_region(n, grain, function, context);
  }
  const Leading not_in_ranges(nullptr);
  team_->run(n, grain, function, context);
}

void Threads::lead(void (*body)(void* context), void* context) {
  if (count_ == 1 || inside_parallel_region || !team_->open()) return body(context);
  struct Close {
    Team& team;
    ~Close() { team.close(); }
  } const close{*team_};
  const auto take_part = [&](std::size_t begin, std::size_t end, std::size_t) {
    for (std::size_t thread = begin; thread < end; ++thread) {
      if (thread > 0) {
        team_->serve(thread);
        continue;
      }
      struct Dismiss {
        Team& team;
        ~Dismiss() { team.dismiss(); }
      } const dismiss{*team_};
      const Leading leading(team_.get());
      body(context);
    }
  };
  using TakePart = decltype(take_part);
  run_region(
      count_, 1,
      [](void* part, std::size_t begin, std::size_t end, std::size_t thread) {
        (*static_cast<const TakePart*>(part))(begin, end, thread);
      },
      const_cast<void*>(static_cast<const void*>(&take_part)));
}

std::size_t available_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) == 0) {
    const int count = CPU_COUNT(&set);
    if (count > 0) return static_cast<std::size_t>(count);
  }
  const unsigned count = std::thread::hardware_concurrency();
  return count == 0 ? 1 : count;
}

}  // namespace laconic
