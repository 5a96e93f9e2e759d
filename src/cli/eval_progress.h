// SPDX-License-Identifier: Apache-2.0
// How far an evaluation is, on stderr: a bar that moves on a terminal, a line now and then
// elsewhere.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "eval/evaluate.h"

namespace laconic::cli {

class EvalProgress {
 public:
  explicit EvalProgress(std::vector<std::string> arms);
  ~EvalProgress();  // the bar goes
  EvalProgress(const EvalProgress&) = delete;
  EvalProgress& operator=(const EvalProgress&) = delete;

  void show(const EvaluationProgress& progress);

 private:
  void draw(const EvaluationProgress& progress) const;
  std::vector<std::string> arms_;  // names
  bool terminal_;
  std::chrono::steady_clock::time_point last_;
};

}  // namespace laconic::cli
