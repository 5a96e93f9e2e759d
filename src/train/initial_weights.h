// SPDX-License-Identifier: Apache-2.0
// The weights of another model as the beginning of a run (--init).
//
// Shapes alone would let in a model that means something else by the same tensors: the folder's
// config.json and vocabulary must be those of the run.
#pragma once

#include <filesystem>

#include "train/decoder.h"

namespace laconic::train {

// Reads the folder's weights into `decoder`. Error(kInput) names the first field of config.json
// that is not the decoder's, and a tokenizer.json or vocab.json with other tokens than that in
// `tokenizer`; a folder without either is taken at its word.
void load_initial_weights(const std::filesystem::path& folder,
                          const std::filesystem::path& tokenizer, Decoder& decoder);

}  // namespace laconic::train
