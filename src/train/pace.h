// SPDX-License-Identifier: Apache-2.0
// How fast a run is: in this process for the time left, and since the last line of its log.
#pragma once

#include <chrono>
#include <cstdint>

namespace laconic::train {

class Pace {
 public:
  using Clock = std::chrono::steady_clock;
  static double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
  }

  void add_step(std::uint64_t tokens, double seconds) {
    tokens_ += tokens;
    step_seconds_ += seconds;
    line_tokens_ += tokens;
    line_seconds_ += seconds;
  }
  void begin_line() {
    line_tokens_ = 0;
    line_seconds_ = 0;
  }

  double seconds() const { return seconds_since(start_); }  // of this process
  double tokens_per_second() const { return static_cast<double>(tokens_) / step_seconds_; }
  double line_tokens_per_second() const {
    return static_cast<double>(line_tokens_) / line_seconds_;
  }
  // Evaluations and checkpoints take their share of the time left, too.
  double seconds_for(std::uint64_t tokens) const {
    return static_cast<double>(tokens) * seconds() / static_cast<double>(tokens_);
  }

 private:
  Clock::time_point start_ = Clock::now();
  std::uint64_t tokens_ = 0, line_tokens_ = 0;
  double step_seconds_ = 0, line_seconds_ = 0;
};

}  // namespace laconic::train
