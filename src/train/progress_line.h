// SPDX-License-Identifier: Apache-2.0
// How far a run is, on stderr: one line that renews itself on a terminal, a line now and then in a
// file. Lines that cannot be written are lost without a word.
#pragma once

#include <chrono>
#include <string>

#include "train/pretrain.h"

namespace laconic::train {

// "step 1220  10.0M of 200M tokens  loss 0.412  10.4k tokens/s  held-out 43.2%  4 h 12 min left"
std::string progress_text(const PretrainProgress& progress);

class ProgressLine {
 public:
  ProgressLine();
  ~ProgressLine();
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  void show(const PretrainProgress& progress);
  void say(const std::string& sentence);  // a line of its own

 private:
  bool terminal_;
  bool open_ = false;  // the cursor stands behind a progress line
  std::chrono::steady_clock::time_point shown_;
};

}  // namespace laconic::train
