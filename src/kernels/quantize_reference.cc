// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

#include "base/half.h"
#include "kernels/k_quants.h"
#include "kernels/quantize.h"

namespace laconic::reference {
namespace {

void store_half(std::uint16_t value, std::byte* out) { std::memcpy(out, &value, sizeof(value)); }

std::uint16_t load_half(const std::byte* in) {
  std::uint16_t value;
  std::memcpy(&value, in, sizeof(value));
  return value;
}

// The first element of the largest magnitude; NaN when any element is not finite, which makes the
// whole block NaN.
float block_extreme(const float* in) {
  float extreme = 0;
  for (std::size_t i = 0; i < kQuantBlock; ++i) {
    if (!std::isfinite(in[i])) return std::numeric_limits<float>::quiet_NaN();
    if (std::fabs(in[i]) > std::fabs(extreme)) extreme = in[i];
  }
  return extreme;
}

float inverse_or_zero(float d) {
  const float inverse = 1.0f / d;
  return std::isfinite(inverse) ? inverse : 0.0f;
}

void quantize_q8_0(const float* in, std::byte* out) {
  const float d = std::fabs(block_extreme(in)) / 127.0f;
  const float inverse = inverse_or_zero(d);
  store_half(f16_from_float(d), out);
  for (std::size_t i = 0; i < kQuantBlock; ++i) {
    const float q = std::isnan(d) ? 0.0f : std::round(in[i] * inverse);
    out[2 + i] = static_cast<std::byte>(static_cast<std::int8_t>(q));
  }
}

void quantize_q4_0(const float* in, std::byte* out) {
  const float d = block_extreme(in) / -8.0f;
  const float inverse = inverse_or_zero(d);
  store_half(f16_from_float(d), out);
  const auto nibble = [&](float x) {
    if (std::isnan(d)) return 0;
    // The clamp changes no result; it keeps compilers from fusing product and sum.
    const float scaled = std::clamp(x * inverse, -8.0f, 8.0f);
    return std::min(15, static_cast<int>(scaled + 8.5f));
  };
  for (std::size_t i = 0; i < kQuantBlock / 2; ++i) {
    out[2 + i] = static_cast<std::byte>(nibble(in[i]) | (nibble(in[i + kQuantBlock / 2]) << 4));
  }
}

void dequantize_with_minimum(DType type, const std::byte* in, float* out) {
  const auto* block = reinterpret_cast<const std::uint8_t*>(in);
  const float d = float_from_f16(load_half(in));
  const float minimum_d = float_from_f16(load_half(in + kKMinimumAt));
  for (std::size_t k = 0; k < kKBlock; ++k) {
    const KScale s = k_scale(block, k / 32);
    const unsigned q = type == DType::kQ4_K ? q4_k_value(block, k) : q5_k_value(block, k);
    out[k] = d * static_cast<float>(s.scale) * static_cast<float>(q) -
             minimum_d * static_cast<float>(s.minimum);
  }
}

void dequantize_q6_k(const std::byte* in, float* out) {
  const auto* block = reinterpret_cast<const std::uint8_t*>(in);
  const float d = float_from_f16(load_half(in + kQ6KScaleAt));
  for (std::size_t k = 0; k < kKBlock; ++k) {
    const int q = static_cast<int>(q6_k_value(block, k)) - 32;
    out[k] = d * static_cast<float>(q6_k_scale(block, k / 16)) * static_cast<float>(q);
  }
}

}  // namespace

void quantize_row(DType type, const float* in, std::size_t n, std::byte* out) {
  const std::size_t bytes = block_bytes(type);
  for (std::size_t i = 0; i < n; i += block_elements(type), out += bytes) {
    switch (type) {
      case DType::kF32:
        std::memcpy(out, in + i, sizeof(float));
        break;
      case DType::kF16:
        store_half(f16_from_float(in[i]), out);
        break;
      case DType::kBF16:
        store_half(bf16_from_float(in[i]), out);
        break;
      case DType::kQ8_0:
        quantize_q8_0(in + i, out);
        break;
      case DType::kQ4_0:
        quantize_q4_0(in + i, out);
        break;
      case DType::kQ4_K:
      case DType::kQ5_K:
      case DType::kQ6_K:
        assert(false && "K-quants are only read");
        return;
    }
  }
}

void dequantize(DType type, const std::byte* in, std::size_t n, float* out) {
  const std::size_t bytes = block_bytes(type);
  for (std::size_t i = 0; i < n; i += block_elements(type), in += bytes) {
    switch (type) {
      case DType::kF32:
        std::memcpy(out + i, in, sizeof(float));
        break;
      case DType::kF16:
        out[i] = float_from_f16(load_half(in));
        break;
      case DType::kBF16:
        out[i] = float_from_bf16(load_half(in));
        break;
      case DType::kQ8_0:
        for (std::size_t k = 0; k < kQuantBlock; ++k) {
          const auto q = static_cast<std::int8_t>(in[2 + k]);
          out[i + k] = float_from_f16(load_half(in)) * static_cast<float>(q);
        }
        break;
      case DType::kQ4_0:
        for (std::size_t k = 0; k < kQuantBlock / 2; ++k) {
          const float d = float_from_f16(load_half(in));
          const int pair = static_cast<int>(in[2 + k]);
          out[i + k] = d * static_cast<float>((pair & 15) - 8);
          out[i + k + kQuantBlock / 2] = d * static_cast<float>((pair >> 4) - 8);
        }
        break;
      case DType::kQ4_K:
      case DType::kQ5_K:
        dequantize_with_minimum(type, in, out + i);
        break;
      case DType::kQ6_K:
        dequantize_q6_k(in, out + i);
        break;
    }
  }
}

}  // namespace laconic::reference
