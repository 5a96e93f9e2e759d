// SPDX-License-Identifier: Apache-2.0
#include "cli/sampling_flags.h"

#include <CLI/CLI.hpp>
#include <limits>
#include <string_view>

#include "base/error.h"
#include "cli/numbers.h"

namespace laconic::cli {
namespace {

void refuse(std::string_view flag, double value, std::string_view allowed) {
  throw_usage("{} is {}; it must be {}", flag, value, allowed);
}

}  // namespace

void SamplingFlags::declare(CLI::App& app) {
  constexpr const char* kGroup = "Sampling (defaults: the checkpoint's, else greedy)";
  add_number(app, "--temp,--temperature", temperature_, "temperature; 0: greedy")->group(kGroup);
  add_count(app, "--top-k", top_k_, 0, kMostCount, "most likely tokens considered; 0: all")
      ->group(kGroup);
  add_number(app, "--top-p", top_p_, "smallest set with this probability; 1: all")->group(kGroup);
  add_number(app, "--min-p", min_p_, "least share of the best token's probability")->group(kGroup);
  add_number(app, "--repeat-penalty", repeat_penalty_, "penalty on repeated tokens; 1: off")
      ->group(kGroup);
  add_count(app, "--repeat-last-n", repeat_window_, 1, kMostCount,
            "tokens that the penalty looks at (64)")
      ->group(kGroup);
  add_count(app, "-s,--seed", seed_, 0, std::numeric_limits<std::uint64_t>::max(),
            "fixes every draw (0)")
      ->group(kGroup);
}

const char* SamplingFlags::first_given() const {
  return temperature_      ? "--temp"
         : top_k_          ? "--top-k"
         : top_p_          ? "--top-p"
         : min_p_          ? "--min-p"
         : repeat_penalty_ ? "--repeat-penalty"
         : repeat_window_  ? "--repeat-last-n"
         : seed_           ? "--seed"
                           : nullptr;
}

void SamplingFlags::check() const {
  if (temperature_ && *temperature_ < 0) refuse("--temp", *temperature_, "0 or more");
  if (top_p_ && (*top_p_ <= 0 || *top_p_ > 1)) refuse("--top-p", *top_p_, "above 0, at most 1");
  if (min_p_ && (*min_p_ < 0 || *min_p_ > 1)) refuse("--min-p", *min_p_, "from 0 to 1");
  if (repeat_penalty_ && *repeat_penalty_ <= 0) {
    refuse("--repeat-penalty", *repeat_penalty_, "above 0");
  }
}

SamplingOptions SamplingFlags::resolve(const SamplingOptions& defaults) const {
  check();
  SamplingOptions out = defaults;
  out.temperature = temperature_.value_or(defaults.temperature);
  if (out.temperature == 0) {
    const char* idle = top_k_ ? "--top-k" : top_p_ ? "--top-p" : min_p_ ? "--min-p" : nullptr;
    if (idle) throw_usage("{} has no effect at temperature 0; give --temp above 0", idle);
  }
  out.top_k = top_k_.value_or(defaults.top_k);
  out.top_p = top_p_.value_or(defaults.top_p);
  out.min_p = min_p_.value_or(defaults.min_p);
  out.repeat_penalty = repeat_penalty_.value_or(defaults.repeat_penalty);
  if (repeat_window_ && out.repeat_penalty == 1) {
    throw_usage("--repeat-last-n has no effect without --repeat-penalty");
  }
  out.repeat_window = repeat_window_.value_or(defaults.repeat_window);
  out.seed = seed_.value_or(defaults.seed);
  return out;
}

}  // namespace laconic::cli
