// SPDX-License-Identifier: Apache-2.0
// Draws the next token. Every draw is fixed by (seed, stream, place in the text), never by call
// order, so a sequence gives the same tokens alone and in any batch.
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
  explicit Sampler(const SamplingOptions& options);

  // `history` is the text so far, prompt included: its length is the place of the new token, and
  // the repetition penalty looks at its end. Ties go to the lower id.
  std::int32_t next(std::span<const float> logits /* [vocab] */,
                    std::span<const std::int32_t> history);

 private:
  struct Candidate {
    std::int32_t id;
    float logit;
    double probability;  // in units of the best candidate's
  };

  void penalise(std::span<const float> logits, std::span<const std::int32_t> history);
  void collect(std::span<const float> logits, float best);
  void weigh(float best);
  void keep_top_k();
  void keep_top_p();
  std::int32_t draw(std::size_t place) const;

  SamplingOptions options_;
  std::vector<float> adjusted_;
  std::vector<std::int32_t> penalised_;
  std::vector<std::int32_t> places_;
  std::vector<Candidate> candidates_;
};

// A uniform number in [0, 1) from a key.
double keyed_uniform(std::uint64_t seed, std::uint64_t stream, std::uint64_t place);

}  // namespace laconic
