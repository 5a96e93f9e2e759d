// SPDX-License-Identifier: Apache-2.0
// A team of threads, passed by reference to whoever splits work. There is no global pool.
//
// Promises: work is split into contiguous ranges in index order, so a caller whose items do not
// depend on one another gets the same bits for any number of threads. An exception in a range is
// rethrown on the caller's thread after all ranges have ended. Nested calls run on the caller
// alone.
//
// Waking the others costs some microseconds, as much as a small matrix product. Code that splits
// work many times in a row (a decode step does so some hundred times) runs in with_team.
#pragma once

#include <cstddef>
#include <memory>
#include <type_traits>

namespace laconic {

class Team;

class Threads {
 public:
  // `count` of 0 means one per core that the process may use. Error(kResource) where the system
  // does not give so many.
  explicit Threads(std::size_t count = 0);
  ~Threads();
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;

  std::size_t size() const { return count_; }

  // Calls body(begin, end, thread) for disjoint ranges that cover [0, n); ranges hold at least
  // `grain` items where n allows. `thread` is below size(); no two ranges have it at a time, and
  // outside of with_team each range has its own.
  template <typename Body>
  void parallel_for(std::size_t n, std::size_t grain, Body&& body) {
    using Plain = std::remove_reference_t<Body>;
    run(
        n, grain,
        [](void* context, std::size_t begin, std::size_t end, std::size_t thread) {
          (*static_cast<Plain*>(context))(begin, end, thread);
        },
        const_cast<void*>(static_cast<const void*>(&body)));
  }

  // Calls body() on this thread, as ordinary code, while the others stand by: its calls of
  // parallel_for on this object cost a fraction of a microsecond, because the others spin for a
  // while before they sleep. Ranges are then finer and go to whoever is free. What body throws is
  // rethrown. Within a range, or within another with_team, body just runs.
  template <typename Body>
  void with_team(Body&& body) {
    using Plain = std::remove_reference_t<Body>;
    lead([](void* context) { (*static_cast<Plain*>(context))(); },
         const_cast<void*>(static_cast<const void*>(&body)));
  }

 private:
  using RangeFunction = void (*)(void* context, std::size_t begin, std::size_t end,
                                 std::size_t thread);
  void run(std::size_t n, std::size_t grain, RangeFunction function, void* context);
  void lead(void (*body)(void* context), void* context);

  // One range for each thread. Alone inside another region.
  void run_region(std::size_t n, std::size_t grain, RangeFunction function, void* context);

  struct Workers;
  std::size_t count_;
  std::unique_ptr<Workers> workers_;
  std::unique_ptr<Team> team_;  // of more than one
};

// Cores that this process may use (its affinity mask), at least 1.
std::size_t available_cores();

}  // namespace laconic
