// SPDX-License-Identifier: Apache-2.0
// The folder of a run: checkpoints, log, the model as it stands. One process at a time.
#pragma once

#include <filesystem>

namespace laconic::train {

class RunFolder {
 public:
  // Makes the folder where it is absent, locks it, and removes the files of ours that a killed
  // process left half written. Error(kUsage) when it lies in the git clone that holds `recipe`
  // (checkpoints are large and change all the time), and when another process has it.
  RunFolder(const std::filesystem::path& folder, const std::filesystem::path& recipe);
  ~RunFolder();
  RunFolder(const RunFolder&) = delete;
  RunFolder& operator=(const RunFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path log() const { return path_ / "log.jsonl"; }
  std::filesystem::path model() const { return path_ / "model"; }

 private:
  std::filesystem::path path_;
  int lock_ = -1;
};

}  // namespace laconic::train
