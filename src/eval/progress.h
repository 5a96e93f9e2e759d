// SPDX-License-Identifier: Apache-2.0
// How long an evaluation will still take, and how that is shown.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

namespace laconic {

// What has been decoded in a run so far.
struct Workload {
  std::size_t finished = 0, finished_tokens = 0;  // answers that ended, and their tokens
  std::size_t running = 0, running_tokens = 0;    // answers under way, and their tokens so far
  std::size_t waiting = 0;                        // answers that have not begun
  double seconds = 0;                             // since the first step
};

// By tokens and not by answers, since short answers end first. Nothing before an answer has ended.
std::optional<double> seconds_left(const Workload& work);

// 3725 -> "1:02:05", 65 -> "1:05".
std::string clock_text(double seconds);

// "[####------]"
std::string progress_bar(std::size_t done, std::size_t all, std::size_t width);

}  // namespace laconic
