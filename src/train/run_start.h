// SPDX-License-Identifier: Apache-2.0
// What a run is before its first step, and what is refused before anything is written.
#pragma once

#include <filesystem>

#include "train/checkpoint.h"
#include "train/decoder.h"
#include "train/recipe.h"
#include "train/stream.h"

namespace laconic::train {

TextLimits text_limits(const Recipe& recipe, const DecoderConfig& config);

// The model that the recipe asks for. Error(kInput) when it cannot be trained, when its tokenizer
// folder has no vocabulary or a larger one, and for texts of the source that do not fit: before
// hours have gone into the others.
DecoderConfig checked_config(const Recipe& recipe, const TextSource& source);

// Step 0, with everything that a checkpoint remembers of a run. `init` is a folder or empty.
RunState first_state(const Recipe& recipe, const DecoderConfig& config, const TextSource& source,
                     const std::filesystem::path& init, const torch::Device& device);

}  // namespace laconic::train
