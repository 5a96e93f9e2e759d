// SPDX-License-Identifier: Apache-2.0
// Checkpoints of a run: one safetensors file each, with everything that the next step depends on.
//
// Promises: a checkpoint is whole or absent, also after a power cut; the newest two stay; bytes
// that changed on disk are noticed: a hash covers the state, the tensors' names and their values.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "train/optimizer.h"
#include "train/stream.h"

namespace laconic::train {

struct RunState {
  std::uint64_t step = 0;     // batches read
  std::uint64_t updates = 0;  // steps of the optimiser: fewer where a gradient was not finite
  StreamState stream;
  double seconds = 0;                  // spent by all processes of this run
  double loss_sum = 0;                 // of the finite losses since the last line of the log
  std::uint64_t loss_steps = 0;        // with a finite loss
  std::uint64_t evaluated_tokens = 0;  // when the last held-out evaluation was due
  Json recipe;                         // Recipe::resolved()
  std::string source;                  // TextSource::fingerprint()
  std::string init;                    // folder that the weights came from; empty: random
  std::string machine;  // device, threads, instruction set: other ones round differently
};

// Replaces older checkpoints: the newest `kCheckpointsKept` stay. Error(kResource) when the disk
// refuses; what was there before is then still there.
void write_checkpoint(const std::filesystem::path& folder, const RunState& state,
                      const NamedTensors& tensors);

inline constexpr std::size_t kCheckpointsKept = 2;

// Files of whole checkpoints, the newest first; none where there is no such folder. Error(kInput)
// for a folder that cannot be read.
std::vector<std::filesystem::path> checkpoint_files(const std::filesystem::path& folder);

// Whether a file of this name is a checkpoint that was still being written.
bool is_unfinished_checkpoint(std::string_view name);

// The state alone. Error(kInput) when the file is damaged, cut off, or none of ours.
RunState read_run_state(const std::filesystem::path& file);
// Copies the file's values into `tensors`, which must have the same names and shapes.
void read_tensors(const std::filesystem::path& file, const NamedTensors& tensors);

}  // namespace laconic::train
