// SPDX-License-Identifier: Apache-2.0
// Sampler, stop strings and loop detector on their own.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <numeric>

#include "engine/loop_detector.h"
#include "engine/sampler.h"
#include "engine/stop_matcher.h"

namespace laconic::test {
namespace {

// A history of that length: the draws are keyed by the place in the text.
std::vector<std::int32_t> places(std::size_t count) { return std::vector<std::int32_t>(count, 0); }

TEST(Sampler, GreedyTakesTheLowestIdOfTheBest) {
  Sampler sampler({});
  const std::vector<float> logits{1, 5, 5, 2};
  EXPECT_EQ(sampler.next(logits, {}), 1);
}

TEST(Sampler, PenaltyTurnsTheChoice) {
  SamplingOptions options;
  options.repeat_penalty = 2.0;
  Sampler sampler(options);
  const std::vector<float> logits{1, 5, 4, -1};
  const std::vector<std::int32_t> history{1};
  EXPECT_EQ(sampler.next(logits, history), 2);
}

TEST(Sampler, FrequenciesFollowTheSoftmax) {
  SamplingOptions options;
  options.temperature = 0.7;
  Sampler sampler(options);
  const std::vector<float> logits{0.0f, 1.0f, -0.5f, 0.3f};
  std::vector<double> expected;
  for (const float l : logits) expected.push_back(std::exp(l / 0.7));
  const double sum = std::accumulate(expected.begin(), expected.end(), 0.0);
  constexpr std::size_t kDraws = 20000;
  std::vector<double> counts(logits.size());
  for (std::size_t i = 0; i < kDraws; ++i) {
    counts[static_cast<std::size_t>(sampler.next(logits, places(i)))] += 1;
  }
  double chi_square = 0;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    const double want = kDraws * expected[i] / sum;
    chi_square += (counts[i] - want) * (counts[i] - want) / want;
  }
  EXPECT_LT(chi_square, 16.3);  // 0.1% point of chi-square with 3 degrees of freedom
}

TEST(Sampler, TopKTopPAndMinPCut) {
  const std::vector<float> logits{3.0f, 2.0f, 1.0f, 0.0f};
  const auto drawn = [&](const SamplingOptions& options) {
    Sampler sampler(options);
    std::int32_t highest = 0;
    for (std::size_t i = 0; i < 3000; ++i) {
      highest = std::max(highest, sampler.next(logits, places(i)));
    }
    return highest;
  };
  SamplingOptions options;
  options.temperature = 1.0;
  EXPECT_EQ(drawn(options), 3);
  options.top_k = 2;
  EXPECT_EQ(drawn(options), 1);
  options.top_k = 0;
  options.top_p = 0.8;  // 0.644 + 0.237 reach it
  EXPECT_EQ(drawn(options), 1);
  options.top_p = 1.0;
  options.min_p = 0.1;  // exp(-2) = 0.135 stays, exp(-3) = 0.0498 goes
  EXPECT_EQ(drawn(options), 2);
}

std::string all_of(StopMatcher& matcher, const std::vector<std::string>& pieces) {
  std::string shown;
  for (const std::string& piece : pieces) shown += matcher.push(piece);
  return shown + matcher.finish();
}

TEST(StopMatcher, EndsAtTheFirstStopAcrossPieces) {
  StopMatcher matcher({"END", "stop here"});
  EXPECT_EQ(all_of(matcher, {"some E", "N", "D rest"}), "some ");
  EXPECT_TRUE(matcher.matched());
}

TEST(StopMatcher, GivesBackWhatWasNoStop) {
  StopMatcher matcher({"ENDING"});
  EXPECT_EQ(all_of(matcher, {"the EN", "D", "IN"}), "the ENDIN");
  EXPECT_FALSE(matcher.matched());
}

RC_GTEST_PROP(StopMatcher, CuttingDoesNotMatter, ()) {
  const auto letters = rc::gen::container<std::string>(rc::gen::element('a', 'b', 'c'));
  const std::string text = *letters;
  std::vector<std::string> stops = *rc::gen::container<std::vector<std::string>>(
      rc::gen::nonEmpty(rc::gen::container<std::string>(rc::gen::element('a', 'b', 'c'))));
  StopMatcher whole(stops), cut(stops);
  std::vector<std::string> pieces;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = *rc::gen::inRange<std::size_t>(1, 4);
    pieces.push_back(text.substr(at, length));
    at += length;
  }
  const std::string shown = all_of(cut, pieces);
  RC_ASSERT(shown == all_of(whole, {text}));
  RC_ASSERT(cut.matched() == whole.matched());
  for (const std::string& stop : stops) RC_ASSERT(shown.find(stop) == std::string::npos);
  RC_ASSERT(cut.matched() || shown == text);
}

// Random numbers in [0, below), the same in every run.
std::vector<std::int32_t> noise(std::size_t count, std::uint32_t below) {
  std::uint32_t seed = 1;
  std::vector<std::int32_t> out(count);
  for (auto& id : out) {
    seed = seed * 1664525u + 1013904223u;
    id = static_cast<std::int32_t>((seed >> 16) % below);
  }
  return out;
}

TEST(LoopDetector, SeesAShortPeriod) {
  std::vector<std::int32_t> ids(512);
  std::iota(ids.begin(), ids.end(), 0);
  EXPECT_FALSE(LoopDetector::looping(ids));
  for (std::size_t i = 256; i < ids.size(); ++i) ids[i] = static_cast<std::int32_t>(i % 37);
  EXPECT_TRUE(LoopDetector::looping(ids));
}

TEST(LoopDetector, SeesALongPeriodWithSlips) {
  const auto paragraph = noise(150, 5000);
  std::vector<std::int32_t> ids(1024);
  for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = paragraph[i % paragraph.size()];
  for (std::size_t i = 300; i < ids.size(); i += 301) ids[i] = -1;
  EXPECT_TRUE(LoopDetector::looping(ids));
}

TEST(LoopDetector, FewDifferentTokensAreNoLoop) {
  EXPECT_FALSE(LoopDetector::looping(noise(1024, 12)));  // digits and signs
}

}  // namespace
}  // namespace laconic::test
