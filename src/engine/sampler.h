// SPDX-License-Identifier: Apache-2.0
// Draws the next token. Every draw is fixed by (seed, sequence, step), never by call order, so a
// sequence gives the same tokens alone and in any batch.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "laconic/sampling_options.h"

namespace laconic {

// Throws Error(kUsage) for values outside their range (negative temperature, top_p of 0, ...).
void validate(const SamplingOptions& options);

class Sampler {
 public:
  Sampler(const SamplingOptions& options, std::uint64_t sequence);

  // `history` is prompt and answer so far; the repetition penalty looks at its end. `step` counts
  // the generated tokens. Ties go to the lower id.
  std::int32_t next(std::span<const float> logits /* [vocab] */,
                    std::span<const std::int32_t> history, std::size_t step);

 private:
  std::int32_t draw(std::size_t step);
  void keep_top_k();
  void keep_probable();

  struct Candidate {
    std::int32_t id;
    float logit;
    double probability;
  };
  SamplingOptions options_;
  std::uint64_t sequence_;
  std::vector<float> adjusted_;
  std::vector<Candidate> candidates_;
};

// A uniform number in [0, 1) from a key: SplitMix64's finaliser over the mixed words.
double keyed_uniform(std::uint64_t seed, std::uint64_t sequence, std::uint64_t step);

}  // namespace laconic
