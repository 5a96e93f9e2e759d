// SPDX-License-Identifier: Apache-2.0
// Small decoders and packed batches for the tests of the trainer.
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "test_paths.h"
#include "train/decoder.h"

namespace laconic::train::test {

using laconic::test::TemporaryFolder;

// Odd sizes on purpose: nothing here is a multiple of a vector's width but the head.
inline DecoderConfig small_config(const std::string& architecture, bool tied = true) {
  DecoderConfig config;
  config.architecture = architecture;
  config.vocab = 97;
  config.hidden = 40;
  config.layers = 2;
  config.heads = 4;
  config.kv_heads = 2;
  config.head_dim = 16;
  config.intermediate = 56;
  config.context = 256;
  config.rope_theta = 10000.0;
  config.tied = tied;
  return config;
}

// Values far from the small ones that training begins with: every part of the arithmetic counts.
inline void make_lively(Decoder& decoder, std::uint64_t seed) {
  const at::NoGradGuard no_grad;
  at::Generator generator = at::detail::createCPUGenerator(seed);
  for (const auto& [name, parameter] : decoder.parameters()) {
    Tensor values = parameter;
    if (values.dim() == 2) {
      const double deviation = 1.0 / std::sqrt(static_cast<double>(values.size(1)));
      values.normal_(0.0, name == "model.embed_tokens.weight" ? 0.5 : deviation, generator);
    } else {
      const double mean = name.find("norm") == std::string::npos ? 0.0 : 1.0;
      values.normal_(mean, 0.2, generator);
    }
  }
}

// Random texts of the given lengths; each learns the next token, except for the first third (a
// prompt) and the last token.
inline PackedBatch random_batch(const std::vector<std::int64_t>& lengths, std::int64_t vocab,
                                std::uint64_t seed) {
  PackedBatch batch;
  at::Generator generator = at::detail::createCPUGenerator(seed);
  std::vector<Tensor> ids, targets, positions;
  batch.starts.push_back(0);
  for (const std::int64_t length : lengths) {
    ids.push_back(at::randint(0, vocab, {length}, generator, at::kLong));
    Tensor next = at::full({length}, -1, at::kLong);
    const std::int64_t prompt = length / 3;
    if (length - 1 > prompt) {
      next.slice(0, prompt, length - 1).copy_(ids.back().slice(0, prompt + 1, length));
    }
    targets.push_back(next);
    positions.push_back(at::arange(length, at::kLong));
    batch.starts.push_back(batch.starts.back() + length);
  }
  batch.ids = at::cat(ids);
  batch.targets = at::cat(targets);
  batch.positions = at::cat(positions);
  return batch;
}

inline double largest_difference(const Tensor& a, const Tensor& b) {
  return (a.to(at::kDouble) - b.to(at::kDouble)).abs().max().item<double>();
}

}  // namespace laconic::train::test
