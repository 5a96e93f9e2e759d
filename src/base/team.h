// SPDX-License-Identifier: Apache-2.0
// What the threads of one with_team region share: a leader publishes jobs, the others wait for
// them. No locks, no allocation after construction.
//
// A job is cut into chunks, contiguous and in index order; each thread has a share of neighbouring
// chunks, and who is through with the own share takes from those of others. The leader waits only
// for chunks that somebody has begun, so threads that lost their core hold up nothing.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>

namespace laconic {

class Team {
 public:
  using RangeFunction = void (*)(void* context, std::size_t begin, std::size_t end,
                                 std::size_t thread);

  explicit Team(std::size_t count);

  // Around the region, on the thread that will lead: false while another leader has the team.
  bool open();
  void close();

  // In the region, thread 0: jobs as in Threads::parallel_for, each done when it returns or throws;
  // after the last one the others are dismissed.
  void run(std::size_t n, std::size_t grain, RangeFunction function, void* context);
  void dismiss();

  // In the region, the others: works until dismissed, be that long ago.
  void serve(std::size_t thread);

 private:
  struct Job {
    RangeFunction function = nullptr;
    void* context = nullptr;
    std::size_t items = 0, chunks = 0, shares = 0;

    std::size_t chunk_of_share(std::size_t share) const { return chunks * share / shares; }
    std::size_t first_item(std::size_t chunk) const { return items * chunk / chunks; }
  };
  // One cache line each: its owner writes it for every chunk.
  struct alignas(64) Share {
    std::atomic<std::uint32_t> left = 0;  // chunks that nobody has taken
  };
  // A word to wait on, and how many may be asleep on it.
  struct alignas(64) Signal {
    std::atomic<std::uint32_t> word = 0;
    std::atomic<std::uint32_t> sleepers = 0;
  };

  void publish(const Job& job);
  void work(std::size_t thread);
  static std::uint32_t take_chunk(Share& share);
  void do_chunk(std::size_t share, std::uint32_t left, std::size_t thread);
  std::uint32_t wait_until_not(Signal& signal, std::uint32_t old) const;
  static void wake(Signal& signal);

  const std::size_t count_;
  const std::chrono::nanoseconds spin_;
  std::unique_ptr<Share[]> shares_;  // [count]
  Job job_;                          // only its chunk's holders and the idle leader touch it
  Signal epoch_;                     // grows with each job and at the end
  Signal unfinished_;                // chunks of the job that are not done
  std::uint32_t opened_at_ = 0;      // the epoch at open()
  std::atomic<bool> open_ = false, dismissed_ = false, failed_ = false;
  std::exception_ptr failure_;  // of the thread that set failed_
};

}  // namespace laconic
