// SPDX-License-Identifier: Apache-2.0
// `laconic eval --kld SAMPLES.jsonl`: how far each arm's predictions lie from the full cache's
// along saved answers, as tables and as JSON.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "base/json.h"
#include "cli/interrupt.h"
#include "eval/arm_spec.h"
#include "eval/run_arm.h"
#include "laconic/model.h"

namespace laconic::cli {

struct KldRequest {
  std::string samples;     // the file of saved answers
  std::string json;        // where the numbers go; empty: nowhere
  std::size_t limit = 0;   // only so many answers, by their ids; 0: all
  std::uint64_t seed = 0;  // of the bootstrap
  Json run;                // an object: what else the JSON document says of this run
};

// What can be said before a model is open: Error(kUsage) when no arm differs from the full cache,
// which is always what the others are measured against.
void check_kld(std::span<const ArmSpec> arms);

// Of an arm its name, its session and its batch count. A full cache among the arms says the element
// type of the reference; else it is that of the first arm. Throws Interrupted.
void run_kld(const Model& model, std::span<const ArmOptions> arms, const KldRequest& request,
             const InterruptWatch& watch);

}  // namespace laconic::cli
