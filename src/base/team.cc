// SPDX-License-Identifier: Apache-2.0
#include "base/team.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <utility>

#include "base/threads.h"

namespace laconic {
namespace {

using Clock = std::chrono::steady_clock;

// The serial pieces between the products of a layer take up to some ten microseconds, and a sleeper
// needs as long to wake: a thread that waits longer than this is better off asleep.
constexpr std::chrono::microseconds kSpin{50};

// Looks at the word between two looks at the clock, which costs as much as a few of them.
constexpr int kLooksPerTime = 16;

// Chunks of one job per thread: one that loses its core keeps the others waiting for a quarter of
// its share at most, and a chunk is still many times what taking it costs.
constexpr std::size_t kChunksPerThread = 4;

void pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// A futex, and not std::atomic's wait: libstdc++'s yields four times before it sleeps. On a busy
// machine each yield costs a slice of the scheduler, and one who only yields is not woken by a job.
static_assert(sizeof(std::atomic<std::uint32_t>) == 4);

// May return too early.
void sleep_while(std::atomic<std::uint32_t>& word, std::uint32_t value) {
  syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, value, nullptr, nullptr, 0);
}

void wake_all(std::atomic<std::uint32_t>& word) {
  syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
}

}  // namespace

// With more threads than cores the one to wait for may need this very core: no spinning then.
Team::Team(std::size_t count)
    : count_(count),
      spin_(count > available_cores() ? std::chrono::microseconds(0) : kSpin),
      shares_(std::make_unique<Share[]>(count)) {}

bool Team::open() {
  if (open_.exchange(true, std::memory_order_acquire)) return false;
  dismissed_.store(false, std::memory_order_relaxed);
  opened_at_ = epoch_.word.load(std::memory_order_relaxed);
  return true;
}

void Team::close() { open_.store(false, std::memory_order_release); }

void Team::dismiss() {
  dismissed_.store(true, std::memory_order_relaxed);
  epoch_.word.fetch_add(1);
  wake(epoch_);
}

void Team::serve(std::size_t thread) {
  std::uint32_t seen = opened_at_;
  for (;;) {
    seen = wait_until_not(epoch_, seen);
    if (dismissed_.load(std::memory_order_relaxed)) return;
    work(thread);
  }
}

void Team::run(std::size_t n, std::size_t grain, RangeFunction function, void* context) {
  if (n == 0) return;
  const std::size_t chunks =
      std::min(n / std::max<std::size_t>(grain, 1), count_ * kChunksPerThread);
  if (chunks < 2) {
    function(context, 0, n, 0);
    return;
  }
  publish({function, context, n, chunks, std::min(chunks, count_)});
  work(0);
  std::uint32_t left = unfinished_.word.load(std::memory_order_acquire);
  while (left > 0) left = wait_until_not(unfinished_, left);
  if (failed_.load(std::memory_order_relaxed)) {
    failed_.store(false, std::memory_order_relaxed);
    std::rethrow_exception(std::exchange(failure_, nullptr));
  }
}

// Whoever takes a chunk has synchronised with the store of its share, and the job cannot change
// before that chunk is done. So a thread that comes late, with a count from an earlier job in hand,
// takes a chunk of the current job or none.
void Team::publish(const Job& job) {
  job_ = job;
  unfinished_.word.store(static_cast<std::uint32_t>(job.chunks), std::memory_order_relaxed);
  for (std::size_t share = 0; share < job.shares; ++share) {
    const std::size_t size = job.chunk_of_share(share + 1) - job.chunk_of_share(share);
    shares_[share].left.store(static_cast<std::uint32_t>(size), std::memory_order_release);
  }
  epoch_.word.fetch_add(1);
  wake(epoch_);
}

void Team::work(std::size_t thread) {
  for (std::size_t i = 0; i < count_; ++i) {
    const std::size_t share = (thread + i) % count_;
    while (const std::uint32_t left = take_chunk(shares_[share])) do_chunk(share, left, thread);
  }
}

// The number of chunks that were left, this one included; 0: none.
std::uint32_t Team::take_chunk(Share& share) {
  std::uint32_t left = share.left.load(std::memory_order_relaxed);
  while (left > 0 && !share.left.compare_exchange_weak(left, left - 1, std::memory_order_acquire,
                                                       std::memory_order_relaxed)) {
  }
  return left;
}

void Team::do_chunk(std::size_t share, std::uint32_t left, std::size_t thread) {
  const std::size_t chunk = job_.chunk_of_share(share + 1) - left;
  try {
    job_.function(job_.context, job_.first_item(chunk), job_.first_item(chunk + 1), thread);
  } catch (...) {
    if (!failed_.exchange(true, std::memory_order_relaxed)) failure_ = std::current_exception();
  }
  if (unfinished_.word.fetch_sub(1) == 1) wake(unfinished_);
}

// Spins, then sleeps. Sequentially consistent on both sides: either the waker sees the sleeper, or
// the sleeper sees the new word and does not sleep.
std::uint32_t Team::wait_until_not(Signal& signal, std::uint32_t old) const {
  Clock::time_point end = Clock::time_point::max();  // not known yet
  do {
    for (int look = 0; look < kLooksPerTime; ++look) {
      const std::uint32_t now = signal.word.load(std::memory_order_acquire);
      if (now != old) return now;
      pause();
    }
    if (end == Clock::time_point::max()) end = Clock::now() + spin_;
  } while (Clock::now() < end);
  signal.sleepers.fetch_add(1);
  std::uint32_t now = old;
  while ((now = signal.word.load()) == old) sleep_while(signal.word, old);
  signal.sleepers.fetch_sub(1);
  return now;
}

// Only the sleeper itself takes back its count: a waker may be so late that its word is an old one,
// and then the sleeper goes on sleeping.
void Team::wake(Signal& signal) {
  if (signal.sleepers.load() > 0) wake_all(signal.word);
}

}  // namespace laconic
