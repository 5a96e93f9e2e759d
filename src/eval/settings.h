// SPDX-License-Identifier: Apache-2.0
// Everything besides the prompt that decides what a model writes, as it stands in sample files.
// What cannot change an answer (threads, batch, memory; the seed of a greedy run) is left out.
#pragma once

#include <string>
#include <string_view>

#include "base/json.h"
#include "eval/run_arm.h"
#include "laconic/kv_options.h"

namespace laconic {

// "model": its fingerprint; "eos": the ids that end its answers; "kv-full-heads": where a file of
// scores chooses the full heads, what it chooses now: their number and a hash; everything else by
// the names of flags: "temp", "kv-interval".
Json arm_settings(const Model& model, const std::string& fingerprint, const ArmOptions& options);

// The heads that stay full, [[head, ...] per layer] as the table stands now; null where all heads
// are alike.
Json full_heads_json(const Model& model, const KvOptions& options);

// Whether a setting is about the cache: what the arms of one run differ in.
bool is_cache_setting(std::string_view name);

}  // namespace laconic
