// SPDX-License-Identifier: Apache-2.0
#include <sched.h>

#include <thread>
#include <utility>

#include "base/team.h"
#include "base/threads.h"

namespace laconic {
namespace {

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

void Threads::run(std::size_t n, std::size_t grain, RangeFunction function, void* context) {
  if (led_here == nullptr || led_here != team_.get()) {
    return run_region(n, grain, function, context);
  }
  const Leading not_in_ranges(nullptr);
  team_->run(n, grain, function, context);
}

void Threads::lead(void (*body)(void* context), void* context) {
  if (count_ == 1 || inside_region() || !team_->open()) return body(context);
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
