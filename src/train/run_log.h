// SPDX-License-Identifier: Apache-2.0
// The log of a run: JSON lines, each appended whole.
#pragma once

#include <cstdint>
#include <filesystem>

#include "base/json.h"

namespace laconic::train {

class RunLog {
 public:
  // Keeps the lines up to `last_step` and drops the rest, a torn last line included: a run that
  // resumes writes them again.
  RunLog(const std::filesystem::path& file, std::uint64_t last_step);
  ~RunLog();
  RunLog(const RunLog&) = delete;
  RunLog& operator=(const RunLog&) = delete;

  // Error(kResource) when the disk refuses; then no part of the line stays.
  void append(const nlohmann::ordered_json& line);

  // The last line that was kept and has a "held_out"; null when there is none.
  const Json& last_held_out() const { return last_held_out_; }

 private:
  std::filesystem::path file_;
  int descriptor_ = -1;
  Json last_held_out_;
};

}  // namespace laconic::train
