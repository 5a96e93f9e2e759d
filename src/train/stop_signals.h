// SPDX-License-Identifier: Apache-2.0
// SIGTERM and Ctrl-C while training: the first asks for an end, the second kills.
#pragma once

#include <csignal>

namespace laconic::train {

// Watches during its life; one at a time.
class StopSignals {
 public:
  StopSignals();
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  bool requested() const;

 private:
  struct sigaction previous_int_ {
  }, previous_term_{};
};

}  // namespace laconic::train
