// SPDX-License-Identifier: Apache-2.0
// What is compared: "full", "rpc:interval=64,window=8,ratio=4".
#pragma once

#include <span>
#include <string>
#include <vector>

#include "laconic/kv_options.h"

namespace laconic {

struct ArmSpec {
  std::string name;  // as written: what a report calls it
  KvOptions kv;
};

// Each item is one arm, or several with commas between; a piece that has "=" and no ":" goes on
// with the options of the arm before it. `type` ("" or f32, f16, bf16, q8_0) is the element type of
// the arms that do not say one. Error(kUsage) names the item, and two arms that would do the same.
std::vector<ArmSpec> parse_arms(std::span<const std::string> items, const std::string& type);

}  // namespace laconic
