// SPDX-License-Identifier: Apache-2.0
// Where the texts of a run come from, as its recipe says.
#pragma once

#include <memory>

#include "train/recipe.h"
#include "train/stream.h"

namespace laconic::train {

// The recipe's source. Error(kInput) for shards of another vocabulary than the tokenizer's.
std::unique_ptr<TextSource> make_source(const Recipe& recipe);

}  // namespace laconic::train
