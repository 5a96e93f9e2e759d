// SPDX-License-Identifier: Apache-2.0
// The RoPE fields of config.json, in both spellings, and back.
//
// Old: "rope_theta" beside "rope_scaling" {"type" | "rope_type", ...}. New: "rope_parameters" with
// all of it. Kinds: default, linear, llama3, yarn; dynamic, longrope and others are refused.
#pragma once

#include <string_view>

#include "base/json.h"
#include "model/config.h"

namespace laconic {

RopeConfig rope_from_hf(const Json& config, std::size_t context, std::string_view where);

// "rope_scaling" of this config (null when there is none); Error(kInput) for GGUF's free divisors.
Json rope_scaling_to_hf(const RopeConfig& rope);

}  // namespace laconic
