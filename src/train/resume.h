// SPDX-License-Identifier: Apache-2.0
// Where a run stands when its process starts: at its newest checkpoint that can be read.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "train/checkpoint.h"

namespace laconic::train {

// The state of that checkpoint, its values in `tensors`; nothing where the folder has none. `now`
// says what is to be trained: recipe, source, init and machine. Damaged checkpoints that are passed
// over are renamed to X.damaged, so that they neither count nor are found again. `say` is told of
// them, of what the recipe has changed, and of another machine. Error(kUsage) names the field when
// the checkpoint is another run's, Error(kInput) when there are some and none can be read.
std::optional<RunState> resume(const std::filesystem::path& folder, const RunState& now,
                               const NamedTensors& tensors,
                               const std::function<void(const std::string&)>& say);

}  // namespace laconic::train
