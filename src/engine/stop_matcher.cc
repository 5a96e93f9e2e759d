// SPDX-License-Identifier: Apache-2.0
#include "engine/stop_matcher.h"

#include <algorithm>
#include <utility>

#include "base/error.h"

namespace laconic {

StopMatcher::StopMatcher(std::vector<std::string> stops) : stops_(std::move(stops)) {
  for (const std::string& stop : stops_) {
    if (stop.empty()) throw_usage("--stop needs a text of at least one character");
  }
}

std::string StopMatcher::push(std::string_view text) {
  if (matched_) return {};
  held_ += text;
  // The stop that is complete first ends the text, as it would if the text came byte by byte.
  std::size_t first = std::string::npos, first_end = std::string::npos;
  for (const std::string& stop : stops_) {
    const std::size_t at = held_.find(stop);
    if (at == std::string::npos) continue;
    const std::size_t end = at + stop.size();
    if (end < first_end || (end == first_end && at < first)) {
      first = at;
      first_end = end;
    }
  }
  if (first != std::string::npos) {
    matched_ = true;
    std::string shown = held_.substr(0, first);
    held_.clear();
    return shown;
  }
  const std::size_t safe = possible_start();
  std::string shown = held_.substr(0, safe);
  held_.erase(0, safe);
  return shown;
}

// The first index from which the held text is a prefix of a stop string; its size when there is
// none.
std::size_t StopMatcher::possible_start() const {
  std::size_t start = held_.size();
  for (const std::string& stop : stops_) {
    const std::size_t longest = std::min(stop.size() - 1, held_.size());
    for (std::size_t length = longest; length > 0; --length) {
      const std::size_t at = held_.size() - length;
      if (at >= start) break;
      if (held_.compare(at, length, stop, 0, length) == 0) {
        start = at;
        break;
      }
    }
  }
  return start;
}

std::string StopMatcher::finish() { return matched_ ? std::string() : std::exchange(held_, {}); }

}  // namespace laconic
