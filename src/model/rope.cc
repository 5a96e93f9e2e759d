// SPDX-License-Identifier: Apache-2.0
// Inverse frequencies of RoPE (arXiv 2104.09864) under the scalings of published models: linear
// interpolation (arXiv 2306.15595), Llama 3.1's wavelength bands, and YaRN (arXiv 2309.00071,
// sections 3.2 to 3.4).
#include <algorithm>
#include <cassert>
#include <cmath>
#include <numbers>

#include "model/config.h"

namespace laconic {
namespace {

// Long wavelengths are interpolated, short ones kept, those between blended by where they lie.
double llama3_frequency(double frequency, const RopeConfig& rope) {
  const double wavelength = 2.0 * std::numbers::pi / frequency;
  if (wavelength < rope.original_context / rope.high_freq_factor) return frequency;
  if (wavelength > rope.original_context / rope.low_freq_factor) return frequency / rope.factor;
  const double smooth = (rope.original_context / wavelength - rope.low_freq_factor) /
                        (rope.high_freq_factor - rope.low_freq_factor);
  return (1.0 - smooth) * frequency / rope.factor + smooth * frequency;
}

// The dimension whose wavelength fits `rotations` times into the original context.
double yarn_dimension(double rotations, std::size_t head_dim, const RopeConfig& rope) {
  return static_cast<double>(head_dim) *
         std::log(rope.original_context / (rotations * 2.0 * std::numbers::pi)) /
         (2.0 * std::log(rope.theta));
}

void scale_yarn(RopeTable& table, const RopeConfig& rope, std::size_t head_dim) {
  const double last = static_cast<double>(head_dim) - 1.0;
  const double low = std::max(std::floor(yarn_dimension(rope.beta_fast, head_dim, rope)), 0.0);
  const double high = std::min(std::ceil(yarn_dimension(rope.beta_slow, head_dim, rope)), last);
  const double width = high == low ? 0.001 : high - low;  // no division by zero
  for (std::size_t i = 0; i < table.inverse_frequency.size(); ++i) {
    const double ramp = std::clamp((static_cast<double>(i) - low) / width, 0.0, 1.0);
    double& frequency = table.inverse_frequency[i];
    frequency = frequency / rope.factor * ramp + frequency * (1.0 - ramp);
  }
  if (rope.attention_factor > 0.0) {
    table.magnitude = rope.attention_factor;
  } else if (rope.factor > 1.0) {
    table.magnitude = 0.1 * std::log(rope.factor) + 1.0;
  }
}

}  // namespace

RopeTable rope_table(const RopeConfig& rope, std::size_t head_dim) {
  assert(rope.frequency_divisors.empty() || rope.frequency_divisors.size() == head_dim / 2);
  RopeTable table;
  table.inverse_frequency.resize(head_dim / 2);
  for (std::size_t i = 0; i < head_dim / 2; ++i) {
    table.inverse_frequency[i] =
        std::pow(rope.theta, -2.0 * static_cast<double>(i) / static_cast<double>(head_dim));
  }
  switch (rope.scaling) {
    case RopeConfig::Scaling::kNone:
      break;
    case RopeConfig::Scaling::kLinear:
      for (double& frequency : table.inverse_frequency) frequency /= rope.factor;
      break;
    case RopeConfig::Scaling::kLlama3:
      for (double& frequency : table.inverse_frequency) {
        frequency = llama3_frequency(frequency, rope);
      }
      break;
    case RopeConfig::Scaling::kYarn:
      scale_yarn(table, rope, head_dim);
      break;
  }
  for (std::size_t i = 0; i < rope.frequency_divisors.size(); ++i) {
    table.inverse_frequency[i] /= static_cast<double>(rope.frequency_divisors[i]);
  }
  return table;
}

}  // namespace laconic
