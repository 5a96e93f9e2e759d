// SPDX-License-Identifier: Apache-2.0
// The rankings in plain float64, sharing nothing with the code under test.
#pragma once

#include <rapidcheck.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <utility>
#include <vector>

#include "kv_support.h"
#include "ranking_case.h"

namespace laconic::test {

using Lists = std::vector<std::vector<double>>;

inline const float* key_of(const RankingCase& c, std::size_t kv_head, std::size_t row) {
  return c.keys.data() + (kv_head * c.input.rows + row) * c.input.head_dim;
}

inline Lists attention_twin(const RankingCase& c) {
  TwinInput in;
  in.query_heads = c.input.heads;
  in.first_candidate = c.first();
  in.window = c.window();
  for (std::size_t h = 0; h < c.input.kv_heads; ++h) {
    in.keys.emplace_back();
    for (std::size_t r = 0; r < c.input.rows; ++r) {
      in.keys[h].emplace_back(key_of(c, h, r), key_of(c, h, r) + c.input.head_dim);
    }
  }
  for (std::size_t q = 0; q < c.input.window; ++q) {
    TwinQuery query;
    query.visible = c.input.rows - c.input.window + q + 1;
    for (std::size_t h = 0; h < c.input.heads; ++h) {
      const float* from = c.queries.data() + (h * c.input.window + q) * c.input.head_dim;
      query.heads.insert(query.heads.end(), from, from + c.input.head_dim);
    }
    in.queries.push_back(std::move(query));
  }
  KvOptions options = c.options;
  if (options.policy == KvPolicy::kTova) {
    options.softmax = KvSoftmax::kFull;
    options.pool = KvPool::kNone;
  }
  return twin_scores(in, options);
}

inline Lists h2o_twin(const RankingCase& c) {
  Lists heads;
  for (std::size_t h = 0; h < c.input.kv_heads; ++h) {
    heads.emplace_back();
    for (std::size_t r = c.first(); r + c.window() < c.input.rows; ++r) {
      double sum = 0;
      for (std::size_t step = 0; step < c.input.steps; ++step) {
        Lists now;
        for (std::size_t g = 0; g < c.group(); ++g) {
          const std::size_t at = ((h * c.group() + g) * c.input.steps + step) * c.input.rows + r;
          now.push_back({double{c.attention[at]}});
        }
        sum = c.options.decay * sum +
              twin_aggregate(now, 1, KvGranularity::kLayer, c.options.aggregation)[0][0];
      }
      heads.back().push_back(sum);
    }
  }
  return twin_aggregate(heads, c.input.kv_heads, c.options.granularity, c.options.aggregation);
}

inline Lists knorm_twin(const RankingCase& c) {
  Lists heads;
  for (std::size_t h = 0; h < c.input.kv_heads; ++h) {
    heads.emplace_back();
    for (std::size_t r = c.first(); r + c.window() < c.input.rows; ++r) {
      const float* key = key_of(c, h, r);
      heads.back().push_back(-std::sqrt(twin_dot(key, key, c.input.head_dim)));
    }
  }
  return twin_aggregate(heads, c.input.kv_heads, c.options.granularity, KvAggregation::kMean);
}

inline std::vector<double> importance_twin(const RankingCase& c, std::size_t h) {
  const std::size_t dim = c.input.head_dim, window = c.input.window, rows = c.input.rows;
  const bool full = c.options.softmax == KvSoftmax::kFull;
  const std::size_t from = full ? 0 : c.first(), end = rows - c.window();
  std::vector<double> importance(c.candidates());
  for (std::size_t q = 0; q < window; ++q) {
    const std::size_t visible = rows - window + q + 1;
    const std::size_t to = full ? visible : std::min(visible, end);
    Lists logits;
    for (std::size_t g = 0; g < c.group(); ++g) {
      logits.emplace_back();
      const float* query = c.queries.data() + ((h * c.group() + g) * window + q) * dim;
      for (std::size_t r = from; r < to; ++r) {
        logits.back().push_back(twin_dot(query, key_of(c, h, r), dim) /
                                std::sqrt(static_cast<double>(dim)));
      }
    }
    const std::vector<double> weights =
        twin_softmax(twin_aggregate(logits, 1, KvGranularity::kLayer, c.options.aggregation)[0]);
    for (std::size_t r = c.first(); r < std::min(end, to); ++r) {
      importance[r - c.first()] += weights[r - from] / static_cast<double>(window);
    }
  }
  return twin_pool(importance, c.options.pool, c.options.kernel);
}

// The whole matrix at once. Discards cases where rounding could decide who resembles whom.
inline std::vector<double> redundancy_twin(const RankingCase& c, std::size_t h) {
  const std::size_t rows = c.input.rows, dim = c.input.head_dim;
  std::vector<double> lengths;
  for (std::size_t i = 0; i < rows; ++i) {
    const float* key = key_of(c, h, i);
    lengths.push_back(std::sqrt(twin_dot(key, key, dim)) + 1e-8);
  }
  Lists cosines(rows, std::vector<double>(rows));
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j < rows; ++j) {
      if (i == j) continue;
      cosines[i][j] = twin_dot(key_of(c, h, i), key_of(c, h, j), dim) / (lengths[i] * lengths[j]);
      RC_PRE(std::abs(cosines[i][j] - c.options.similarity) > 4e-6);
    }
  }
  for (std::vector<double>& row : cosines) {
    std::size_t newest = rows;
    for (std::size_t j = 0; j < rows; ++j) {
      if (row[j] > c.options.similarity) newest = j;
    }
    if (newest < rows) row[newest] = 0;
  }
  std::vector<double> means(rows);
  for (std::size_t j = 0; j < rows; ++j) {
    for (std::size_t i = 0; i < rows; ++i) means[j] += cosines[i][j] / static_cast<double>(rows);
  }
  return twin_softmax(means);
}

// Z, and how large what it is the difference of can be.
inline Lists rkv_twin(const RankingCase& c, double& scale) {
  Lists heads;
  for (std::size_t h = 0; h < c.input.kv_heads; ++h) {
    const std::vector<double> importance = importance_twin(c, h);
    const std::vector<double> redundancy = redundancy_twin(c, h);
    heads.emplace_back();
    for (std::size_t i = 0; i < importance.size(); ++i) {
      const double pro = c.options.lambda * importance[i];
      const double contra = (1 - c.options.lambda) * redundancy[c.first() + i];
      heads.back().push_back(pro - contra);
      scale = std::max(scale, pro + contra);
    }
  }
  // Sums of logits are large, and so is the rounding of what they are exponents of.
  scale *= 4;
  return twin_aggregate(heads, c.input.kv_heads, c.options.granularity, KvAggregation::kMean);
}

// Scores by which the newest rows are best.
inline Lists newest_twin(const RankingCase& c) {
  std::vector<double> list(c.candidates());
  std::iota(list.begin(), list.end(), 1.0);
  return {list};
}

inline Lists twin_of(const RankingCase& c, double& scale) {
  switch (c.options.policy) {
    case KvPolicy::kStreaming:
    case KvPolicy::kRecency:
      return newest_twin(c);
    case KvPolicy::kKnorm:
      return knorm_twin(c);
    case KvPolicy::kH2o:
      return h2o_twin(c);
    case KvPolicy::kRkv:
      return rkv_twin(c, scale);
    default:
      return attention_twin(c);
  }
}

inline double largest_magnitude(const std::vector<double>& list) {
  double largest = 0;
  for (const double score : list) largest = std::max(largest, std::abs(score));
  return largest;
}

}  // namespace laconic::test
