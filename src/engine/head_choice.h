// SPDX-License-Identifier: Apache-2.0
// From the text of KvOptions::heads to the heads that stay full: reads the table, or draws.
#pragma once

#include <optional>
#include <string>

#include "kv/head_set.h"
#include "kv/sequence_cache.h"
#include "laconic/kv_options.h"

namespace laconic {

// The scores that `heads`, a file or "random:SEED", gives to a model of that shape. Error(kInput)
// for a table that is malformed or of another model.
HeadScores head_scores(const std::string& heads, const KvShape& shape);

// Nothing when all heads are alike. Error(kUsage) where a policy that evicts is left with no head.
std::optional<HeadSet> choose_heads(const KvOptions& options, const KvShape& shape);

}  // namespace laconic
