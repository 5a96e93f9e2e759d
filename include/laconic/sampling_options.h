// SPDX-License-Identifier: Apache-2.0
// How the next token is drawn from the logits.
#pragma once

#include <cstddef>
#include <cstdint>

namespace laconic {

// Applied in this order: repetition penalty, temperature, min-p, top-k, top-p, draw.
struct SamplingOptions {
  double temperature = 0.0;        // 0: greedy, the rest but the penalty is without effect
  std::size_t top_k = 0;           // most likely tokens considered; 0: all
  double top_p = 1.0;              // smallest set of tokens with at least this probability; 1: all
  double min_p = 0.0;              // tokens below this share of the best one's probability go
  double repeat_penalty = 1.0;     // divides positive and multiplies negative logits; 1: off
  std::size_t repeat_window = 64;  // latest tokens that the penalty looks at; 0: all
  // Every draw is fixed by (seed, stream, place in the text): never by what else is in the batch.
  std::uint64_t seed = 0;
  std::uint64_t stream = 0;  // tells apart several samples of one prompt
};

}  // namespace laconic
