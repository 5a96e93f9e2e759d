// SPDX-License-Identifier: Apache-2.0
// A team of threads, passed by reference to whoever splits work. There is no global pool.
//
// Promises: work is split into contiguous ranges in index order, so a caller whose items do not
// depend on one another gets the same bits for any number of threads. An exception in a range is
// rethrown on the caller's thread after all ranges have ended. Nested calls run on the caller
// alone.
#pragma once

#include <cstddef>
#include <memory>
#include <type_traits>

namespace laconic {

class Threads {
 public:
  // `count` of 0 means one per core that the process may use.
  explicit Threads(std::size_t count = 0);
  ~Threads();
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;

  std::size_t size() const { return count_; }

  // Calls body(begin, end, thread) for disjoint ranges that cover [0, n); ranges hold at least
  // `grain` items where n allows. `thread` is below size().
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

 private:
  using RangeFunction = void (*)(void* context, std::size_t begin, std::size_t end,
                                 std::size_t thread);
  void run(std::size_t n, std::size_t grain, RangeFunction function, void* context);

  struct Workers;  // std::thread back end only
  std::size_t count_;
  std::unique_ptr<Workers> workers_;
};

// Cores that this process may use (its affinity mask), at least 1.
std::size_t available_cores();

}  // namespace laconic
