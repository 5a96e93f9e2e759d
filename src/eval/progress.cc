// SPDX-License-Identifier: Apache-2.0
#include "eval/progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace laconic {

std::optional<double> seconds_left(const Workload& work) {
  const std::size_t tokens = work.finished_tokens + work.running_tokens;
  if (work.finished == 0 || tokens == 0 || work.seconds <= 0) return std::nullopt;
  const double mean =
      static_cast<double>(work.finished_tokens) / static_cast<double>(work.finished);
  // Those under way may have outgrown the mean; then they count as nearly done.
  const double begun = std::max(
      0.0, mean * static_cast<double>(work.running) - static_cast<double>(work.running_tokens));
  const double left = begun + mean * static_cast<double>(work.waiting);
  return left * work.seconds / static_cast<double>(tokens);
}

std::string clock_text(double seconds) {
  const auto all = static_cast<long long>(std::llround(std::max(0.0, seconds)));
  const long long hours = all / 3600, minutes = all / 60 % 60, rest = all % 60;
  return hours > 0 ? fmt::format("{}:{:02}:{:02}", hours, minutes, rest)
                   : fmt::format("{}:{:02}", minutes, rest);
}

std::string progress_bar(std::size_t done, std::size_t all, std::size_t width) {
  const std::size_t filled = all == 0 ? width : std::min(done, all) * width / all;
  return "[" + std::string(filled, '#') + std::string(width - filled, '-') + "]";
}

}  // namespace laconic
