// SPDX-License-Identifier: Apache-2.0
// parallel_for on OpenMP: the runtime that oneDNN uses too, so that one team serves both.
#include <omp.h>

#include <algorithm>
#include <exception>

#include "base/team.h"
#include "base/threads.h"

namespace laconic {

struct Threads::Workers {};

Threads::Threads(std::size_t count) : count_(count == 0 ? available_cores() : count) {
  if (count_ > 1) team_ = std::make_unique<Team>(count_);
}
Threads::~Threads() = default;

bool Threads::inside_region() { return omp_in_parallel() != 0; }

void Threads::run_region(std::size_t n, std::size_t grain, RangeFunction function, void* context) {
  if (n == 0) return;
  const std::size_t ranges =
      std::clamp<std::size_t>(n / std::max<std::size_t>(grain, 1), 1, count_);
  if (ranges == 1 || inside_region()) {
    function(context, 0, n, 0);
    return;
  }
  std::exception_ptr failure;
#pragma omp parallel for num_threads(static_cast <int>(ranges)) schedule(static, 1)
  for (std::size_t range = 0; range < ranges; ++range) {
    try {
      function(context, n * range / ranges, n * (range + 1) / ranges, range);
    } catch (...) {
#pragma omp critical(laconic_threads_failure)
      if (!failure) failure = std::current_exception();
    }
  }
  if (failure) std::rethrow_exception(failure);
}

}  // namespace laconic
