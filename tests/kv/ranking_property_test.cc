// SPDX-License-Identifier: Apache-2.0
// What every ranking promises, on random sizes, and each beside a plain float64 twin.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "kv/replay.h"
#include "kv/scores.h"
#include "ranking_case.h"
#include "ranking_twins.h"

namespace laconic {
namespace {

using test::asks;
using test::largest_magnitude;
using test::Lists;
using test::RankingCase;
using test::twin_of;

class EveryRanking : public ::testing::TestWithParam<KvPolicy> {
 protected:
  // RapidCheck's report is the message of a failure.
  void check(const char* what, const std::function<void(std::uint64_t)>& property) const {
    EXPECT_TRUE(rc::check(KvOptions::of(GetParam()).policy_name() + ": " + what, property));
  }
  bool ranks() const {
    return GetParam() != KvPolicy::kRandom && GetParam() != KvPolicy::kRecency &&
           GetParam() != KvPolicy::kStreaming;
  }
};

TEST_P(EveryRanking, KeepsTheProtectedRowsAndAsManyAsTheLawSays) {
  check("kept rows", [](std::uint64_t seed) {
    const RankingCase c(GetParam(), seed);
    const ReplayResult result = replay_policy(c.input, c.options);
    RC_ASSERT(result.candidate_start == c.first());
    RC_ASSERT(result.kept.size() == c.input.kv_heads);
    for (const std::vector<std::int32_t>& kept : result.kept) {
      RC_ASSERT(kept.size() == c.stay);
      for (std::size_t i = 1; i < kept.size(); ++i) RC_ASSERT(kept[i - 1] < kept[i]);
      for (std::size_t i = 0; i < c.first(); ++i) {
        RC_ASSERT(kept[i] == static_cast<std::int32_t>(i));
      }
      for (std::size_t back = 1; back <= c.window(); ++back) {
        RC_ASSERT(kept[kept.size() - back] == static_cast<std::int32_t>(c.input.rows - back));
      }
      RC_ASSERT(kept.front() >= 0);
      RC_ASSERT(static_cast<std::size_t>(kept.back()) < c.input.rows);
      if (c.options.granularity == KvGranularity::kLayer) RC_ASSERT(kept == result.kept[0]);
    }
    RC_ASSERT(replay_policy(c.input, c.options).kept == result.kept);
  });
}

TEST_P(EveryRanking, EqualsTheFloat64Twin) {
  if (GetParam() == KvPolicy::kRandom) GTEST_SKIP() << "draws have tests of their own";
  const bool scored = ranks();
  check("the twin", [scored](std::uint64_t seed) {
    const RankingCase c(GetParam(), seed);
    const ReplayResult result = replay_policy(c.input, c.options);
    double scale = 0;
    const Lists expected = twin_of(c, scale);
    RC_ASSERT(!scored || result.scores.size() == expected.size());
    for (std::size_t h = 0; h < c.input.kv_heads; ++h) {
      const std::vector<double>& list = expected[expected.size() == 1 ? 0 : h];
      const double size = scale > 0 ? scale : largest_magnitude(list);
      RC_ASSERT(c.best(list, result.kept[h], size));
      if (!scored) continue;
      const std::vector<float>& scores = result.scores[expected.size() == 1 ? 0 : h];
      RC_ASSERT(scores.size() == list.size());
      for (std::size_t i = 0; i < list.size(); ++i) {
        RC_ASSERT(std::abs(scores[i] - list[i]) <= 5e-6 * size);
      }
    }
  });
}

// Rotates the heads of each group of a [heads][block] array.
std::vector<float> rotated(const RankingCase& c, const std::vector<float>& values) {
  if (values.empty()) return {};
  const std::size_t block = values.size() / c.input.heads;
  std::vector<float> out(values.size());
  for (std::size_t h = 0; h < c.input.heads; ++h) {
    const std::size_t to = h / c.group() * c.group() + (h + 1) % c.group();
    std::copy_n(values.begin() + static_cast<std::ptrdiff_t>(h * block), block,
                out.begin() + static_cast<std::ptrdiff_t>(to * block));
  }
  return out;
}

TEST_P(EveryRanking, HeadsOfAGroupMayStandInAnyOrder) {
  const bool scored = ranks();
  check("rotated heads", [scored](std::uint64_t seed) {
    RankingCase c(GetParam(), seed);
    const ReplayResult before = replay_policy(c.input, c.options);
    c.queries = rotated(c, c.queries);
    c.attention = rotated(c, c.attention);
    c.point();
    const ReplayResult after = replay_policy(c.input, c.options);
    if (!scored) RC_ASSERT(after.kept == before.kept);
    for (std::size_t h = 0; scored && h < c.input.kv_heads; ++h) {
      const std::vector<float>& scores = before.scores[before.scores.size() == 1 ? 0 : h];
      const std::vector<double> list(scores.begin(), scores.end());
      // Of R-KV's Z the parts are larger than the difference; both are below 2.
      const bool difference = c.options.policy == KvPolicy::kRkv;
      RC_ASSERT(c.best(list, after.kept[h], difference ? 2.0 : largest_magnitude(list)));
    }
  });
}

// Powers of two change no rounding, so that equal lists are asked for. Longer keys and queries that
// are shorter by as much have the same logits.
TEST_P(EveryRanking, ScalingAllScoresChangesNoList) {
  check("scaled scores", [](std::uint64_t seed) {
    RankingCase c(GetParam(), seed);
    c.options.lambda = 1.0;  // cosines of rkv's redundancy divide by a length and a constant
    const ReplayResult before = replay_policy(c.input, c.options);
    for (const std::vector<float>& list : before.scores) {
      std::vector<float> scaled = list;
      for (float& score : scaled) score *= 0.25f;
      RC_ASSERT(top_indices(scaled, c.keep()) == top_indices(list, c.keep()));
    }
    for (float& weight : c.attention) weight *= 0.25f;
    for (float& value : c.keys) value *= 4.0f;
    for (float& value : c.queries) value *= 0.25f;
    c.point();
    RC_ASSERT(replay_policy(c.input, c.options).kept == before.kept);
  });
}

// A key so long that every query's logit of it is -inf, at the newest candidate.
TEST_P(EveryRanking, ALogitOfMinusInfinityIsNeverSelected) {
  if (!asks(GetParam()) && GetParam() != KvPolicy::kKnorm) {
    GTEST_SKIP() << "looks at nothing that an endless key could change";
  }
  check("endless key", [](std::uint64_t seed) {
    RankingCase c(GetParam(), seed);
    RC_PRE(c.keep() < c.candidates());
    c.options.pool = KvPool::kNone;  // a neighbour would lift it
    c.options.lambda = 1.0;          // it resembles nothing, which speaks for it
    const std::size_t dim = c.input.head_dim, last = c.first() + c.candidates() - 1;
    for (std::size_t at = 0; at < c.queries.size(); at += dim) c.queries[at] = 4.0f;
    for (std::size_t h = 0; h < c.input.kv_heads; ++h) {
      float* key = c.keys.data() + (h * c.input.rows + last) * dim;
      std::fill_n(key, dim, 0.0f);
      key[0] = -3e38f;
    }
    c.point();
    for (const std::vector<std::int32_t>& kept : replay_policy(c.input, c.options).kept) {
      for (const std::int32_t row : kept) RC_ASSERT(row != static_cast<std::int32_t>(last));
    }
  });
}

std::string name_of(const ::testing::TestParamInfo<KvPolicy>& info) {
  return KvOptions::of(info.param).policy_name();
}

INSTANTIATE_TEST_SUITE_P(Policies, EveryRanking,
                         ::testing::Values(KvPolicy::kRpc, KvPolicy::kRandom, KvPolicy::kStreaming,
                                           KvPolicy::kRecency, KvPolicy::kKnorm, KvPolicy::kH2o,
                                           KvPolicy::kTova, KvPolicy::kSnapKv, KvPolicy::kRkv),
                         name_of);

}  // namespace
}  // namespace laconic
