// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <type_traits>
#include <vector>

#include "base/half.h"
#include "train/packed_attention.h"

namespace laconic::train::reference {
namespace {

double value(float x) { return static_cast<double>(x); }
double value(std::uint16_t x) { return static_cast<double>(float_from_bf16(x)); }

template <typename T>
T stored(double x) {
  if constexpr (std::is_same_v<T, float>)
    return static_cast<float>(x);
  else
    return bf16_from_float(static_cast<float>(x));
}

template <typename T>
double dot(std::size_t n, const T* a, const T* b) {
  double sum = 0.0;
  for (std::size_t i = 0; i < n; ++i) sum += value(a[i]) * value(b[i]);
  return sum;
}

// body(query's token, key's token) for each pair that may meet, by query and then by key.
template <typename Body>
void for_each_pair(std::span<const std::int64_t> starts, const Body& body) {
  for (std::size_t text = 0; text + 1 < starts.size(); ++text) {
    const auto first = static_cast<std::size_t>(starts[text]);
    const auto end = static_cast<std::size_t>(starts[text + 1]);
    for (std::size_t i = first; i < end; ++i)
      for (std::size_t j = first; j <= i; ++j) body(i, j);
  }
}

}  // namespace

template <typename T>
void packed_attention_forward(const AttentionShape& shape, std::span<const std::int64_t> starts,
                              const T* q, const T* k, const T* v, T* out, float* lse) {
  const std::size_t d = shape.head_dim;
  const auto tokens = static_cast<std::size_t>(starts.back());
  for (std::size_t h = 0; h < shape.heads; ++h) {
    const std::size_t g = h / (shape.heads / shape.kv_heads);
    const auto score = [&](std::size_t i, std::size_t j) {
      return static_cast<double>(shape.scale) *
             dot(d, q + (i * shape.heads + h) * d, k + (j * shape.kv_heads + g) * d);
    };
    std::vector<double> most(tokens, -HUGE_VAL), sum(tokens, 0.0), rows(tokens * d, 0.0);
    for_each_pair(starts,
                  [&](std::size_t i, std::size_t j) { most[i] = std::fmax(most[i], score(i, j)); });
    for_each_pair(starts, [&](std::size_t i, std::size_t j) {
      const double weight = std::exp(score(i, j) - most[i]);
      sum[i] += weight;
      for (std::size_t e = 0; e < d; ++e)
        rows[i * d + e] += weight * value(v[(j * shape.kv_heads + g) * d + e]);
    });
    for (std::size_t i = 0; i < tokens; ++i) {
      lse[h * tokens + i] = static_cast<float>(most[i] + std::log(sum[i]));
      for (std::size_t e = 0; e < d; ++e)
        out[(i * shape.heads + h) * d + e] = stored<T>(rows[i * d + e] / sum[i]);
    }
  }
}

template <typename T>
void packed_attention_backward(const AttentionShape& shape, std::span<const std::int64_t> starts,
                               const T* q, const T* k, const T* v, const T* out, const float* lse,
                               const T* d_out, T* d_q, T* d_k, T* d_v) {
  const std::size_t d = shape.head_dim;
  const auto tokens = static_cast<std::size_t>(starts.back());
  const auto scale = static_cast<double>(shape.scale);
  std::vector<double> sum_q(tokens * shape.heads * d, 0.0);
  std::vector<double> sum_k(tokens * shape.kv_heads * d, 0.0), sum_v = sum_k;
  for (std::size_t h = 0; h < shape.heads; ++h)
    for_each_pair(starts, [&](std::size_t i, std::size_t j) {
      const std::size_t at_q = (i * shape.heads + h) * d;
      const std::size_t at_k = (j * shape.kv_heads + h / (shape.heads / shape.kv_heads)) * d;
      const double weight =
          std::exp(scale * dot(d, q + at_q, k + at_k) - value(lse[h * tokens + i]));
      const double d_weight = dot(d, d_out + at_q, v + at_k) - dot(d, d_out + at_q, out + at_q);
      const double d_score = scale * weight * d_weight;
      for (std::size_t e = 0; e < d; ++e) {
        sum_q[at_q + e] += d_score * value(k[at_k + e]);
        sum_k[at_k + e] += d_score * value(q[at_q + e]);
        sum_v[at_k + e] += weight * value(d_out[at_q + e]);
      }
    });
  for (std::size_t i = 0; i < sum_q.size(); ++i) d_q[i] = stored<T>(sum_q[i]);
  for (std::size_t i = 0; i < sum_k.size(); ++i) d_k[i] = stored<T>(sum_k[i]);
  for (std::size_t i = 0; i < sum_v.size(); ++i) d_v[i] = stored<T>(sum_v[i]);
}

template void packed_attention_forward(const AttentionShape&, std::span<const std::int64_t>,
                                       const float*, const float*, const float*, float*, float*);
template void packed_attention_forward(const AttentionShape&, std::span<const std::int64_t>,
                                       const std::uint16_t*, const std::uint16_t*,
                                       const std::uint16_t*, std::uint16_t*, float*);
template void packed_attention_backward(const AttentionShape&, std::span<const std::int64_t>,
                                        const float*, const float*, const float*, const float*,
                                        const float*, const float*, float*, float*, float*);
template void packed_attention_backward(const AttentionShape&, std::span<const std::int64_t>,
                                        const std::uint16_t*, const std::uint16_t*,
                                        const std::uint16_t*, const std::uint16_t*, const float*,
                                        const std::uint16_t*, std::uint16_t*, std::uint16_t*,
                                        std::uint16_t*);

}  // namespace laconic::train::reference
