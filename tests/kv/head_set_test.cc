// SPDX-License-Identifier: Apache-2.0
// The choice of full heads: exact counts, ties in (layer, head) order, the published files.
#include "kv/head_set.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <set>
#include <sstream>
#include <string>
#include <utility>

#include "laconic/error.h"
#include "test_paths.h"

namespace laconic {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Counts = std::vector<std::size_t>;

// A published table, read without the parser of io/.
HeadScores read_scores(const std::filesystem::path& path) {
  HeadScores read;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line); ++read.layers) {
    std::istringstream numbers(line);
    for (double score = 0; numbers >> score;) read.scores.push_back(score);
  }
  read.kv_heads = read.scores.size() / read.layers;
  return read;
}

Counts counts_per_layer(const HeadSet& set) {
  Counts counts;
  for (std::size_t layer = 0; layer < set.layers(); ++layer) {
    counts.push_back(set.full(layer).size());
  }
  return counts;
}

template <typename Action>
void expect_error(ErrorKind kind, const std::vector<std::string>& parts, Action&& action) {
  try {
    action();
    FAIL() << "no error; expected one with: " << ::testing::PrintToString(parts);
  } catch (const Error& failure) {
    EXPECT_EQ(failure.kind(), kind) << failure.what();
    for (const std::string& part : parts) EXPECT_THAT(failure.what(), HasSubstr(part));
  }
}

// specs/rlkv.md section 10, the table of k.
TEST(HeadSet, CountsOfTheSpecification) {
  const std::pair<std::size_t, Counts> rows[] = {{256, {205, 179, 154, 128, 103, 52}},
                                                 {112, {89, 78, 67, 56, 45, 23}},
                                                 {288, {230, 201, 173, 144, 115, 58}}};
  const char* const sparsities[] = {".2", ".3", ".4", ".5", ".6", ".8"};
  for (const auto& [heads, expected] : rows) {
    Counts counts;
    for (const char* s : sparsities) counts.push_back(full_head_count(heads, s));
    EXPECT_EQ(counts, expected) << heads;
  }
}

TEST(HeadSet, CountsAtTheEnds) {
  for (const std::size_t heads : {1u, 2u, 3u, 256u}) {
    for (const char* none : {"0", "0.0", "00.000", ".0", "0."}) {
      EXPECT_EQ(full_head_count(heads, none), heads) << none;
    }
    for (const char* all : {"1", "1.0", "01.", "1.000"}) {
      EXPECT_EQ(full_head_count(heads, all), 0u) << all;
    }
  }
  EXPECT_EQ(full_head_count(1, "0.999"), 1u);  // a single head: all or nothing
  EXPECT_EQ(full_head_count(0, "0.5"), 0u);
}

// What a binary fraction would round away.
TEST(HeadSet, CountsAreExact) {
  const std::string zeros(400, '0');
  EXPECT_EQ(full_head_count(256, "0.2"), 205u);
  EXPECT_EQ(full_head_count(256, "0.2" + zeros), 205u);
  EXPECT_EQ(full_head_count(256, "0.2" + zeros + "1"), 204u);
  EXPECT_EQ(full_head_count(256, "0.1" + std::string(400, '9')), 205u);
  EXPECT_EQ(full_head_count(256, "0." + zeros + "1"), 255u);
  EXPECT_EQ(full_head_count(256, "0." + std::string(400, '9')), 1u);
}

RC_GTEST_PROP(HeadSet, CountIsTheClosedForm, ()) {
  const std::uint64_t heads = *rc::gen::inRange<std::uint64_t>(1, 5000);
  const int digits = *rc::gen::inRange(1, 10);
  std::uint64_t unit = 1;
  for (int i = 0; i < digits; ++i) unit *= 10;
  const std::uint64_t share = *rc::gen::inRange<std::uint64_t>(0, unit);
  std::string text = std::to_string(share);
  text = "0." + std::string(static_cast<std::size_t>(digits) - text.size(), '0') + text;
  const std::uint64_t constant = (share * (heads - 1) + unit - 1) / unit;
  RC_ASSERT(full_head_count(heads, text) == heads - constant);
}

TEST(HeadSet, RefusesOtherSparsities) {
  for (const char* text : {"", ".", "-0.1", "-0", "+0.5", "1.1", "1.0000000000000000000001", "2",
                           "10", "50%", "0,5", "5e-1", "nan", "0.5 ", " 0.5", "0.5.1", "half"}) {
    expect_error(ErrorKind::kUsage, {"--kv-sparsity", std::string("'") + text + "'", "0 to 1"},
                 [&] { full_head_count(256, text); });
  }
}

TEST(HeadSet, NumbersHaveOneText) {
  for (const char* text : {"0.5", ".5", "0.50", "00.500"}) EXPECT_EQ(plain_sparsity(text), "0.5");
  for (const char* text : {"0", "0.0", ".0", "0."}) EXPECT_EQ(plain_sparsity(text), "0");
  for (const char* text : {"1", "1.0", "01."}) EXPECT_EQ(plain_sparsity(text), "1");
  EXPECT_EQ(plain_sparsity("0.0330"), "0.033");
  const std::string digits = "0." + std::string(400, '9');
  EXPECT_EQ(plain_sparsity(digits + "0"), digits) << "no digit is lost";
  for (const char* text : {"0.5", ".5", "0.50", "5e-1"}) {
    EXPECT_EQ(plain_heads_threshold(text), "0.5") << text;
  }
  EXPECT_EQ(plain_heads_threshold("-0"), "0");
  EXPECT_EQ(plain_heads_threshold("-1.0"), "-1");
}

// T17: all equal, the first ones by (layer, head).
TEST(HeadSet, TiesGoToTheFirst) {
  const HeadScores equal{3, 2, std::vector<double>(6, 0.7)};
  const HeadSet chosen = choose_full_heads(equal, "0.4");  // 6 - ceil(0.4 * 5)
  EXPECT_EQ(chosen.count(), 4u);
  EXPECT_THAT(chosen.full(0), ElementsAre(0u, 1u));
  EXPECT_THAT(chosen.full(1), ElementsAre(0u, 1u));
  EXPECT_THAT(chosen.full(2), IsEmpty());
}

// What lies outside [0, 1] ties with its end.
TEST(HeadSet, ScoresAreClipped) {
  const HeadScores scores{2, 3, {-0.5, 0.0, 1.0, 1.5, -1e-9, 0.5}};
  const HeadSet two = choose_full_heads(scores, "0.8");
  EXPECT_THAT(two.full(0), ElementsAre(2u));
  EXPECT_THAT(two.full(1), ElementsAre(0u));
  const HeadSet four = choose_full_heads(scores, "0.4");
  EXPECT_THAT(four.full(0), ElementsAre(0u, 2u));  // -0.5 comes before 0.0 and equals it
  EXPECT_THAT(four.full(1), ElementsAre(0u, 2u));
  EXPECT_EQ(scores.clipped(0, 0), 0.0);
  EXPECT_EQ(scores.clipped(1, 0), 1.0);
  EXPECT_EQ(scores.clipped(1, 2), 0.5);
}

TEST(HeadSet, SpansAllLayersAtOnce) {
  const HeadScores scores{3, 2, {0.9, 0.8, 0.1, 0.2, 0.7, 0.3}};
  const HeadSet chosen = choose_full_heads(scores, "0.6");
  EXPECT_EQ(counts_per_layer(chosen), (Counts{2, 0, 1}));
  EXPECT_TRUE(chosen.is_full(2, 0));
  EXPECT_FALSE(chosen.is_full(2, 1));
  EXPECT_EQ(chosen.layers(), 3u);
  EXPECT_EQ(chosen.kv_heads(), 2u);
  EXPECT_EQ(choose_full_heads(scores, "1").count(), 0u);
  EXPECT_EQ(choose_full_heads(scores, "0").count(), 6u);
}

TEST(HeadSet, ByThreshold) {
  const HeadScores scores{2, 2, {0.5, 0.49999, 1.5, -0.5}};
  EXPECT_EQ(full_heads_above(scores, 0.5).count(), 2u);  // equal counts as above
  EXPECT_THAT(full_heads_above(scores, 1.0).full(1), ElementsAre(0u));
  EXPECT_EQ(full_heads_above(scores, 0.0).count(), 4u);  // -0.5 is clipped to it
  EXPECT_EQ(full_heads_above(scores, 1.01).count(), 0u);

  EXPECT_EQ(parse_heads_threshold("0.5"), 0.5);
  EXPECT_EQ(parse_heads_threshold("-1e-3"), -0.001);
  for (const char* text : {"", "x", "nan", "inf", "1e999", "0.5 ", "0,5"}) {
    expect_error(ErrorKind::kUsage, {"--kv-heads-threshold", text},
                 [&] { parse_heads_threshold(text); });
  }
}

TEST(HeadSet, ByOptions) {
  const HeadScores scores{2, 2, {0.1, 0.4, 0.6, 0.9}};
  KvOptions options;
  options.sparsity = "0.3";
  EXPECT_EQ(full_heads_of(scores, options), choose_full_heads(scores, "0.3"));
  options.sparsity.clear();
  options.heads_threshold = "0.6";
  EXPECT_EQ(full_heads_of(scores, options), full_heads_above(scores, 0.6));
}

// A set at a higher sparsity is part of every set at a lower one, and no head that is left out
// beats one that stays.
RC_GTEST_PROP(HeadSet, SetsAreNestedAndRanked, ()) {
  const std::size_t layers = *rc::gen::inRange<std::size_t>(1, 9);
  const std::size_t heads = *rc::gen::inRange<std::size_t>(1, 6);
  HeadScores scores{layers, heads, {}};
  // Few values, so that ties are common; some outside [0, 1].
  for (std::size_t i = 0; i < layers * heads; ++i) {
    scores.scores.push_back(*rc::gen::inRange(-2, 7) / 4.0);
  }
  const auto text = [](int hundredths) {
    return hundredths == 100 ? std::string("1") : "0." + std::to_string(100 + hundredths).substr(1);
  };
  const int a = *rc::gen::inRange(0, 101), b = *rc::gen::inRange(0, 101);
  const HeadSet more = choose_full_heads(scores, text(std::min(a, b)));
  const HeadSet fewer = choose_full_heads(scores, text(std::max(a, b)));
  RC_ASSERT(more.count() == full_head_count(layers * heads, text(std::min(a, b))));
  double lowest = std::numeric_limits<double>::infinity(), highest = -lowest;
  for (std::size_t layer = 0; layer < layers; ++layer) {
    for (std::size_t head = 0; head < heads; ++head) {
      RC_ASSERT(more.is_full(layer, head) || !fewer.is_full(layer, head));
      const double score = scores.clipped(layer, head);
      if (more.is_full(layer, head)) lowest = std::min(lowest, score);
      if (!more.is_full(layer, head)) highest = std::max(highest, score);
    }
  }
  RC_ASSERT(lowest >= highest);
}

// T18.
struct Published {
  const char* file;
  Counts at_half;
  double last_kept, next;
  std::size_t layers_without_at_08;
  Counts at_least;  // heads whose score is at least 0.5, 0.9, 1
};

TEST(HeadSet, PublishedFiles) {
  const Published tables[] = {
      {"rlkv.r1-distill-llama-8b.tsv",
       {1, 2, 4, 2, 2, 3, 4, 4, 4, 6, 7, 6, 5, 8, 6, 8,
        3, 6, 4, 3, 6, 3, 3, 2, 2, 3, 3, 2, 2, 3, 6, 5},
       0.65625,
       0.65234375,
       7,
       {166, 30, 7}},
      {"rlkv.r1-distill-qwen-7b.tsv",
       {0, 0, 3, 0, 2, 2, 3, 2, 2, 2, 2, 1, 1, 4, 3, 4, 3, 3, 2, 2, 0, 3, 3, 2, 1, 1, 3, 2},
       0.82421875,
       0.8203125,
       13,
       {101, 33, 6}}};
  for (const Published& table : tables) {
    const auto path = test::shared_data() / "heads" / table.file;
    LACONIC_NEEDS(path);
    SCOPED_TRACE(table.file);
    const HeadScores scores = read_scores(path);
    const HeadSet half = choose_full_heads(scores, "0.5");
    EXPECT_EQ(counts_per_layer(half), table.at_half);
    double lowest = 1, highest = 0;
    for (std::size_t layer = 0; layer < scores.layers; ++layer) {
      for (std::size_t head = 0; head < scores.kv_heads; ++head) {
        const double score = scores.clipped(layer, head);
        if (half.is_full(layer, head)) lowest = std::min(lowest, score);
        if (!half.is_full(layer, head)) highest = std::max(highest, score);
      }
    }
    EXPECT_EQ(lowest, table.last_kept);
    EXPECT_EQ(highest, table.next);
    const Counts few = counts_per_layer(choose_full_heads(scores, "0.8"));
    EXPECT_EQ(std::count(few.begin(), few.end(), 0u),
              static_cast<std::ptrdiff_t>(table.layers_without_at_08));
    EXPECT_EQ((Counts{full_heads_above(scores, 0.5).count(), full_heads_above(scores, 0.9).count(),
                      full_heads_above(scores, 1.0).count()}),
              table.at_least);
  }
}

// Ties at the cut: the head of the lower layer stays, the other goes.
TEST(HeadSet, PublishedTies) {
  const auto llama = test::shared_data() / "heads" / "rlkv.r1-distill-llama-8b.tsv";
  const auto qwen = test::shared_data() / "heads" / "rlkv.r1-distill-qwen-7b.tsv";
  LACONIC_NEEDS(llama);
  LACONIC_NEEDS(qwen);
  const HeadScores a = read_scores(llama), b = read_scores(qwen);
  ASSERT_EQ(a.clipped(15, 3), 0.73828125);
  ASSERT_EQ(a.clipped(20, 5), 0.73828125);
  const HeadSet of_a = choose_full_heads(a, "0.6");
  EXPECT_TRUE(of_a.is_full(15, 3));
  EXPECT_FALSE(of_a.is_full(20, 5));
  ASSERT_EQ(b.clipped(9, 2), 0.62890625);
  ASSERT_EQ(b.clipped(25, 0), 0.62890625);
  const HeadSet of_b = choose_full_heads(b, "0.2");
  EXPECT_TRUE(of_b.is_full(9, 2));
  EXPECT_FALSE(of_b.is_full(25, 0));
}

// All of DuoAttention's heads that stay at 0.8 are tied at 1, and more than stay.
TEST(HeadSet, PublishedTiesAtOne) {
  const auto path = test::shared_data() / "heads" / "duo.r1-distill-llama-8b.tsv";
  LACONIC_NEEDS(path);
  const HeadScores scores = read_scores(path);
  EXPECT_EQ(full_heads_above(scores, 1.0).count(), 69u);
  const HeadSet chosen = choose_full_heads(scores, "0.8");
  std::size_t left = 52;
  for (std::size_t layer = 0; layer < scores.layers; ++layer) {
    for (std::size_t head = 0; head < scores.kv_heads; ++head) {
      const bool stays = scores.clipped(layer, head) == 1.0 && left > 0;
      EXPECT_EQ(chosen.is_full(layer, head), stays) << layer << ", " << head;
      if (stays) --left;
    }
  }
}

TEST(HeadSet, RandomScores) {
  const HeadScores drawn = random_head_scores(32, 8, 7);
  EXPECT_EQ(drawn.scores, random_head_scores(32, 8, 7).scores);
  EXPECT_NE(drawn.scores, random_head_scores(32, 8, 8).scores);
  const std::set<double> distinct(drawn.scores.begin(), drawn.scores.end());
  EXPECT_EQ(distinct.size(), 256u);
  EXPECT_GE(*distinct.begin(), 0.0);
  EXPECT_LT(*distinct.rbegin(), 1.0);
  // A head's score depends on its place alone, not on the shape around it.
  const HeadScores smaller = random_head_scores(3, 2, 7);
  EXPECT_EQ(smaller.clipped(2, 1), drawn.clipped(2, 1));
  // The mean of 20 000 uniform draws is within six standard deviations, 0.29 / sqrt(20000) each.
  const HeadScores many = random_head_scores(200, 100, 0);
  double sum = 0;
  for (const double score : many.scores) sum += score;
  EXPECT_NEAR(sum / 20000.0, 0.5, 6 * 0.29 / std::sqrt(20000.0));
}

TEST(HeadSet, RandomSeeds) {
  EXPECT_EQ(random_heads_seed("random:0"), 0u);
  EXPECT_EQ(random_heads_seed("random:18446744073709551615"),
            std::numeric_limits<std::uint64_t>::max());
  for (const char* file : {"", "random", "random.tsv", "./random:1", "heads.tsv"}) {
    EXPECT_FALSE(random_heads_seed(file).has_value()) << file;
  }
  for (const char* wrong :
       {"random:", "random:x", "random:-1", "random:1.5", "random:18446744073709551616"}) {
    expect_error(ErrorKind::kUsage, {wrong, "SEED"}, [&] { random_heads_seed(wrong); });
  }
}

TEST(HeadSet, ShapeOfTheModel) {
  const HeadScores scores = random_head_scores(3, 2, 0);
  EXPECT_NO_THROW(require_shape(scores, 3, 2, "a.tsv"));
  const std::pair<std::size_t, std::size_t> others[] = {{2, 3}, {3, 4}, {4, 2}};
  for (const auto& other : others) {
    expect_error(ErrorKind::kInput,
                 {"a.tsv has 3 layers of 2 KV heads",
                  fmt::format("the model {} layers of {}", other.first, other.second)},
                 [&] { require_shape(scores, other.first, other.second, "a.tsv"); });
  }
}

}  // namespace
}  // namespace laconic
