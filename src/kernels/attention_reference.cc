// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/attention.h"
#include "kernels/quantize.h"

namespace laconic::reference {
namespace {

// Row r of K (part 0) or V (part 1) as f32.
std::vector<float> cache_row(const HeadRowsView& kv, std::size_t r, std::size_t part) {
  const std::size_t stride = row_bytes(kv.type, kv.head_dim);
  const std::byte* page = kv.pages[r / kPageRows];
  std::vector<float> row(kv.head_dim);
  reference::dequantize(kv.type, page + (part * kv.value_rows + r % kPageRows) * stride,
                        kv.head_dim, row.data());
  return row;
}

double logit(const HeadRowsView& kv, std::size_t r, const float* q, float scale) {
  const std::vector<float> key = cache_row(kv, r, 0);
  double sum = 0;
  for (std::size_t k = 0; k < kv.head_dim; ++k) sum += static_cast<double>(key[k]) * q[k];
  return sum * scale;
}

void softmax(std::vector<double>& p) {
  double largest = -std::numeric_limits<double>::infinity();
  for (const double value : p) largest = std::max(largest, value);
  double total = 0;
  for (double& value : p) total += value = std::exp(value - largest);
  for (double& value : p) value /= total;
}

// out = sum_r p[r] V[r].
void mix_values(const HeadRowsView& kv, const std::vector<double>& p, float* out) {
  std::vector<double> sum(kv.head_dim);
  for (std::size_t r = 0; r < p.size(); ++r) {
    const std::vector<float> value = cache_row(kv, r, 1);
    for (std::size_t k = 0; k < kv.head_dim; ++k) sum[k] += p[r] * value[k];
  }
  for (std::size_t k = 0; k < kv.head_dim; ++k) out[k] = static_cast<float>(sum[k]);
}

}  // namespace

void attend(const HeadRowsView& kv, const float* q, const std::size_t* visible, std::size_t queries,
            float scale, float* out) {
  attend_split(kv, q, &kv.rows, visible, queries, scale, out);
}

void attend_with_weights(const HeadRowsView& kv, const float* q, const std::size_t* visible,
                         std::size_t queries, float scale, float* out, float* weights) {
  for (std::size_t i = 0; i < queries; ++i) {
    std::vector<double> p(visible[i]);
    for (std::size_t r = 0; r < p.size(); ++r) p[r] = logit(kv, r, q + i * kv.head_dim, scale);
    softmax(p);
    mix_values(kv, p, out + i * kv.head_dim);
    for (std::size_t r = 0; r < kv.rows; ++r) {
      weights[i * kv.rows + r] = r < p.size() ? static_cast<float>(p[r]) : 0.0f;
    }
  }
}

void attend_split(const HeadRowsView& kv, const float* q, const std::size_t* run_ends,
                  const std::size_t* visible, std::size_t queries, float scale, float* out) {
  for (std::size_t i = 0; i < queries; ++i) {
    std::vector<double> p(visible[i]);
    for (std::size_t r = 0, run = 0; r < p.size(); ++r) {
      while (r >= run_ends[run]) ++run;
      p[r] = logit(kv, r, q + (run * queries + i) * kv.head_dim, scale);
    }
    softmax(p);
    mix_values(kv, p, out + i * kv.head_dim);
  }
}

void key_logits(const HeadRowsView& kv, std::size_t begin, std::size_t end, const float* q,
                std::size_t queries, float scale, float* logits) {
  for (std::size_t i = 0; i < queries; ++i) {
    for (std::size_t r = begin; r < end; ++r) {
      logits[i * (end - begin) + r - begin] =
          static_cast<float>(logit(kv, r, q + i * kv.head_dim, scale));
    }
  }
}

void key_lengths(const HeadRowsView& kv, std::size_t begin, std::size_t end, float* lengths) {
  for (std::size_t r = begin; r < end; ++r) {
    double squares = 0;
    for (const float value : cache_row(kv, r, 0)) squares += static_cast<double>(value) * value;
    lengths[r - begin] = static_cast<float>(std::sqrt(squares));
  }
}

}  // namespace laconic::reference
