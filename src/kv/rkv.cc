// SPDX-License-Identifier: Apache-2.0
#include "kv/rkv.h"

#include <algorithm>
#include <cassert>
#include <cmath>

#include "kernels/elementwise.h"
#include "kernels/quantize.h"

namespace laconic {
namespace {

// Added to lengths, as published: a key of zeros has cosine 0 with all others.
constexpr double kTinyLength = 1e-8;

// Takes the logits of one more query head into those of the heads before it.
void merge(float* merged, const float* logits, std::size_t count, bool largest) {
  if (!largest) {
    add_in_place(merged, logits, count);
    return;
  }
  for (std::size_t i = 0; i < count; ++i) merged[i] = std::max(merged[i], logits[i]);
}

// The keys of the rows [first, first + count), which lie in one page, as f32. [count][head_dim]
void widen_keys(const HeadRowsView& head, std::size_t first, std::size_t count, float* keys) {
  const std::byte* page = head.pages[first / kPageRows];
  dequantize(head.type, page + first % kPageRows * row_bytes(head.type, head.head_dim),
             count * head.head_dim, keys);
}

// One over the length of a key; in double, where no sum of squares overflows.
double inverse_length(const float* key, std::size_t dim) {
  double squares = 0;
  for (std::size_t k = 0; k < dim; ++k) squares += static_cast<double>(key[k]) * key[k];
  return 1.0 / (std::sqrt(squares) + kTinyLength);
}

// Adds the cosines of row `row` with all rows to `sums`, its own and that of the newest row which
// it resembles left out. `dots`: unit key of `row` times the keys as stored. [rows]
void add_cosines(const float* dots, std::size_t row, const std::vector<double>& inverse,
                 double similarity, std::vector<double>& sums) {
  const std::size_t rows = inverse.size();
  const auto cosine = [&](std::size_t i) { return dots[i] * inverse[i]; };
  std::size_t newest = rows;  // that resembles this one, if any
  for (std::size_t i = rows; i-- > 0 && newest == rows;) {
    if (i != row && cosine(i) > similarity) newest = i;
  }
  for (std::size_t i = 0; i < rows; ++i) {
    if (i != row && i != newest) sums[i] += cosine(i);
  }
}

}  // namespace

std::vector<float> rkv_importance(const AttentionQuestion& question, std::size_t kv_head,
                                  const Regions& regions, const KvOptions& options) {
  const HeadRowsView& head = question.heads[kv_head];
  const std::size_t count = question.count;
  const std::size_t group = question.query_heads / question.heads.size();
  const float scale = 1.0f / std::sqrt(static_cast<float>(head.head_dim));
  const KeyRange keys = keys_for(regions, options.softmax);
  const std::size_t skipped = regions.first_candidate - keys.begin;  // keys before the candidates
  const bool largest = options.aggregation == KvAggregation::kMax;
  const bool mean = options.aggregation == KvAggregation::kMean;
  assert(count <= regions.rows);

  std::vector<float> importance(regions.candidates());
  std::vector<float> merged(std::min(kQueryBlock, count) * keys.size());
  std::vector<float> logits(merged.size());
  for (std::size_t first = 0; first < count; first += kQueryBlock) {
    const std::size_t block = std::min(kQueryBlock, count - first);
    for (std::size_t g = 0; g < group; ++g) {
      const float* queries =
          question.queries + ((kv_head * group + g) * count + first) * head.head_dim;
      key_logits(head, keys.begin, keys.end, queries, block, scale,
                 g == 0 ? merged.data() : logits.data());
      if (g > 0) merge(merged.data(), logits.data(), block * keys.size(), largest);
    }
    if (mean) {
      for (float& logit : merged) logit /= static_cast<float>(group);
    }
    for (std::size_t i = 0; i < block; ++i) {
      const std::size_t seen = keys_seen(keys, regions.rows, count, first + i);
      if (seen <= skipped) continue;
      float* weights = merged.data() + i * keys.size();
      softmax_in_place(weights, seen);
      add_in_place(importance.data(), weights + skipped,
                   std::min(seen - skipped, importance.size()));
    }
  }
  for (float& score : importance) score /= static_cast<float>(count);
  return pool_scores(importance, options.pool, options.kernel);
}

std::vector<float> rkv_redundancy(const HeadRowsView& head, double similarity) {
  const std::size_t rows = head.rows, dim = head.head_dim;
  std::vector<float> keys(std::min(kPageRows, rows) * dim);
  std::vector<double> inverse(rows);
  for (std::size_t first = 0; first < rows; first += kPageRows) {
    const std::size_t count = std::min(kPageRows, rows - first);
    widen_keys(head, first, count, keys.data());
    for (std::size_t i = 0; i < count; ++i) {
      inverse[first + i] = inverse_length(keys.data() + i * dim, dim);
    }
  }
  std::vector<double> sums(rows);  // of each column
  std::vector<float> dots(std::min(kPageRows, rows) * rows);
  for (std::size_t first = 0; first < rows; first += kPageRows) {
    const std::size_t count = std::min(kPageRows, rows - first);
    widen_keys(head, first, count, keys.data());
    for (std::size_t i = 0; i < count; ++i) {
      for (std::size_t k = 0; k < dim; ++k) {
        float& value = keys[i * dim + k];
        value = static_cast<float>(value * inverse[first + i]);
      }
    }
    key_logits(head, 0, rows, keys.data(), count, 1.0f, dots.data());
    for (std::size_t i = 0; i < count; ++i) {
      add_cosines(dots.data() + i * rows, first + i, inverse, similarity, sums);
    }
  }
  std::vector<float> redundancy(rows);
  for (std::size_t i = 0; i < rows; ++i) {
    redundancy[i] = static_cast<float>(sums[i] / static_cast<double>(rows));
  }
  softmax_in_place(redundancy.data(), rows);
  return redundancy;
}

Selection rkv_select(const Trigger& trigger, const Regions& regions, const KvOptions& options) {
  const std::size_t kv_heads = trigger.heads.size();
  const auto lambda = static_cast<float>(options.lambda);
  std::vector<float> scores(kv_heads * regions.candidates());  // Z, [kv_heads][candidates]
  for (std::size_t h = 0; h < kv_heads; ++h) {
    float* z = scores.data() + h * regions.candidates();
    // A part without weight is not worked out.
    if (rkv_wants_importance(options)) {
      const auto importance = rkv_importance(question_of(trigger), h, regions, options);
      for (std::size_t i = 0; i < importance.size(); ++i) z[i] = lambda * importance[i];
    }
    if (options.lambda < 1) {
      const auto redundancy = rkv_redundancy(trigger.heads[h], options.similarity);
      for (std::size_t i = 0; i < regions.candidates(); ++i) {
        z[i] -= (1.0f - lambda) * redundancy[regions.first_candidate + i];
      }
    }
  }
  return select_top(
      regions,
      aggregate_scores(scores, kv_heads, kv_heads, options.granularity, KvAggregation::kMean),
      kept_candidates(trigger, regions), kv_heads);
}

}  // namespace laconic
