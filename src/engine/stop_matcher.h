// SPDX-License-Identifier: Apache-2.0
// Ends a text at the stop string that is complete first, however the text is cut into pieces.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace laconic {

class StopMatcher {
 public:
  explicit StopMatcher(std::vector<std::string> stops);  // empty strings are Error(kUsage)

  // The text that is safe to show now. What could still become a stop string is held back; after a
  // match nothing comes any more and matched() is true.
  std::string push(std::string_view text);
  std::string finish();  // what was held back, when the text ended without a match
  bool matched() const { return matched_; }

 private:
  std::size_t possible_start() const;
  std::vector<std::string> stops_;
  std::string held_;
  bool matched_ = false;
};

}  // namespace laconic
