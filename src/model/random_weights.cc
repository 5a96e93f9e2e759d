// SPDX-License-Identifier: Apache-2.0
#include "model/random_weights.h"

#include <cmath>

#include "base/fnv.h"
#include "base/mix.h"
#include "kernels/quantize.h"
#include "model/convert_rows.h"
#include "model/random_blocks.h"

namespace laconic {
namespace {

// Four uniforms on 0..65535 have this mean, and this deviation: 65536 * sqrt(4 / 12).
constexpr float kSumMean = 2.0f * 65535.0f;
constexpr float kSumDeviation = 37837.2f;

// Small enough that a norm stays a norm, large enough that a wrong row shows.
constexpr float kVectorDeviation = 0.02f;

std::uint64_t row_key(std::uint64_t seed, std::string_view tensor, std::size_t row) {
  return mix_bits(mix_bits(mix_bits(seed + kMixStep) ^ fnv1a(tensor)) + row * kMixStep);
}

}  // namespace

void random_row(std::uint64_t seed, std::string_view tensor, std::size_t row, float mean,
                float deviation, std::span<float> out) {
  const std::uint64_t key = row_key(seed, tensor, row);
  const float scale = deviation / kSumDeviation;
  for (std::size_t i = 0; i < out.size(); ++i) {
    const std::uint64_t bits = mix_bits(key + (i + 1) * kMixStep);
    const auto sum = static_cast<std::int32_t>((bits & 0xffff) + ((bits >> 16) & 0xffff) +
                                               ((bits >> 32) & 0xffff) + (bits >> 48));
    out[i] = mean + scale * (static_cast<float>(sum) - kSumMean);
  }
}

std::vector<std::byte> random_tensor(std::uint64_t seed, const TensorSpec& spec, DType type,
                                     Threads& threads) {
  const bool vector = spec.shape.size() == 1;
  const std::size_t cols = spec.shape.back(), rows = vector ? 1 : spec.shape[0];
  const bool norm = vector && spec.name.find("norm") != std::string::npos;
  const float mean = norm ? 1.0f : 0.0f;
  const float deviation = vector ? kVectorDeviation : 1.0f / std::sqrt(static_cast<float>(cols));
  const std::size_t stride = row_bytes(type, cols);
  std::vector<std::byte> out(rows * stride);
  threads.parallel_for(rows, rows_per_thread(cols),
                       [&](std::size_t begin, std::size_t end, std::size_t) {
                         std::vector<float> row(cols);
                         for (std::size_t r = begin; r < end; ++r) {
                           if (!can_quantize(type)) {
                             random_blocks(row_key(seed, spec.name, r), type, deviation,
                                           {out.data() + r * stride, stride});
                             continue;
                           }
                           random_row(seed, spec.name, r, mean, deviation, row);
                           quantize_row(type, row.data(), cols, out.data() + r * stride);
                         }
                       });
  return out;
}

}  // namespace laconic
