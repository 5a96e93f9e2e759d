// SPDX-License-Identifier: Apache-2.0
// Ctrl-C while an answer is being written: the first one asks for an end, the second one kills.
#pragma once

#include <csignal>

namespace laconic::cli {

// Watches for Ctrl-C during its life; outside of it the signal has its usual effect. One at a time.
class InterruptWatch {
 public:
  InterruptWatch();
  ~InterruptWatch();
  InterruptWatch(const InterruptWatch&) = delete;
  InterruptWatch& operator=(const InterruptWatch&) = delete;

  bool requested() const;

 private:
  struct sigaction previous_ {};
};

}  // namespace laconic::cli
