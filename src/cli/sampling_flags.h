// SPDX-License-Identifier: Apache-2.0
// The sampling flags. What is not typed comes from the checkpoint's recommendation, as vLLM does;
// a flag that cannot take effect at temperature 0 is refused.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "laconic/sampling_options.h"

namespace CLI {
class App;
}

namespace laconic::cli {

class SamplingFlags {
 public:
  void declare(CLI::App& app);

  const char* first_given() const;  // a flag that was typed; nullptr: none

  // Error(kUsage) for values out of range: what can be said before a model is opened.
  void check() const;

  // The flags over `defaults`.
  SamplingOptions resolve(const SamplingOptions& defaults) const;

 private:
  std::optional<double> temperature_, top_p_, min_p_, repeat_penalty_;
  std::optional<std::size_t> top_k_, repeat_window_;
  std::optional<std::uint64_t> seed_;
};

}  // namespace laconic::cli
