// SPDX-License-Identifier: Apache-2.0
// Measures of repetition over finished answers. When an answer is ended is text_flow_test's.
#include "engine/loop_detector.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <numeric>
#include <set>
#include <vector>

namespace laconic::test {
namespace {

using Ids = std::vector<std::int32_t>;

// 0, 1, ..., distinct - 1, 0, 1, ...
Ids cycle(std::size_t count, std::size_t distinct) {
  Ids ids(count);
  for (std::size_t i = 0; i < count; ++i) ids[i] = static_cast<std::int32_t>(i % distinct);
  return ids;
}

TEST(RepeatedGrams, CountsRunsThatStoodBefore) {
  EXPECT_EQ(repeated_grams({}), 0u);
  EXPECT_EQ(repeated_grams(cycle(63, 1)), 0u);     // no run is long enough
  EXPECT_EQ(repeated_grams(cycle(64, 1)), 0u);     // one run
  EXPECT_EQ(repeated_grams(cycle(100, 1)), 36u);   // 37 runs, all alike
  EXPECT_EQ(repeated_grams(cycle(500, 500)), 0u);  // nothing repeats
  EXPECT_EQ(repeated_grams(cycle(127, 64)), 0u);   // 64 runs, each once
  EXPECT_EQ(repeated_grams(cycle(128, 64)), 1u);   // the first one comes back
  EXPECT_EQ(repeated_grams(cycle(128, 64), 8), 57u);
}

RC_GTEST_PROP(RepeatedGrams, AgreesWithASetOfRuns, ()) {
  const auto gram = *rc::gen::inRange<std::size_t>(1, 5);
  const auto ids = *rc::gen::container<Ids>(rc::gen::inRange<std::int32_t>(0, 3));
  std::set<Ids> seen;
  std::size_t repeated = 0;
  for (std::size_t i = 0; i + gram <= ids.size(); ++i) {
    const auto begin = ids.begin() + static_cast<std::ptrdiff_t>(i);
    if (!seen.insert(Ids(begin, begin + static_cast<std::ptrdiff_t>(gram))).second) ++repeated;
  }
  RC_ASSERT(repeated_grams(ids, gram) == repeated);
}

// T23 of RLKV's test plan.
TEST(FewDistinctStop, BelowATenthOfFourHundred) {
  EXPECT_EQ(few_distinct_stop(cycle(400, 39)), 400u);
  EXPECT_FALSE(few_distinct_stop(cycle(400, 40)));
  EXPECT_FALSE(few_distinct_stop(cycle(399, 1)));
  EXPECT_FALSE(few_distinct_stop({}));
}

TEST(FewDistinctStop, LooksOnlyAtMultiplesOfFourHundred) {
  Ids ids = cycle(200, 200);
  const Ids few = cycle(400, 5);
  ids.insert(ids.end(), few.begin(), few.end());
  EXPECT_FALSE(few_distinct_stop(ids));  // tokens 200 to 600 would do
  ids.insert(ids.end(), few.begin(), few.end());
  EXPECT_EQ(few_distinct_stop(ids), 800u);
  const Ids varied = cycle(400, 400);
  ids.insert(ids.end(), varied.begin(), varied.end());
  EXPECT_EQ(few_distinct_stop(ids), 800u);  // the first time counts
}

}  // namespace
}  // namespace laconic::test
