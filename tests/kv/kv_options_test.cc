// SPDX-License-Identifier: Apache-2.0
#include "laconic/kv_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <limits>
#include <set>
#include <string>
#include <vector>

#include "laconic/error.h"

namespace laconic {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

using Map = std::map<std::string, std::string>;
using Names = std::set<std::string>;

const std::vector<std::string> kPolicies = {"full",  "rpc", "random", "streaming", "recency",
                                            "knorm", "h2o", "tova",   "snapkv",    "rkv"};
const Names kHeadNames = {"heads", "sparsity", "heads-threshold"};

std::string refusal(std::string_view policy, const Map& options) {
  try {
    KvOptions::parse(policy, options);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kUsage);
    return error.what();
  }
  return "accepted";
}

std::string refusal(const KvOptions& options) {
  try {
    options.validate();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kUsage);
    return error.what();
  }
  return "accepted";
}

Names names_of(const KvOptions& options) {
  Names names;
  for (const auto& [name, text] : options.to_map()) names.insert(name);
  return names;
}

// A text form that parse takes and prints back.
void expect_round_trip(const std::string& policy, const Map& options) {
  const KvOptions o = KvOptions::parse(policy, options);
  EXPECT_EQ(o.policy_name(), policy);
  EXPECT_EQ(KvOptions::parse(policy, o.to_map()).to_map(), o.to_map());
  for (const auto& [name, text] : options) EXPECT_EQ(o.to_map().at(name), text) << name;
}

TEST(KvOptions, DefaultsAreThePublishedOnes) {
  const KvOptions o = KvOptions::parse("rpc", {});
  EXPECT_EQ(o.policy_name(), "rpc");
  EXPECT_EQ(o.interval, 1024u);
  EXPECT_EQ(o.window, 32u);
  EXPECT_EQ(o.ratio, 4.0);
  EXPECT_EQ(o.kernel, 7u);
  EXPECT_EQ(o.pool, KvPool::kAvg);
  EXPECT_EQ(o.granularity, KvGranularity::kLayer);
  EXPECT_EQ(o.aggregation, KvAggregation::kMean);
  EXPECT_EQ(o.selector, KvSelector::kExact);
  EXPECT_EQ(o.softmax, KvSoftmax::kCandidates);
  EXPECT_EQ(o.cap, 0u);
  EXPECT_EQ(o.budget, 0u);
  EXPECT_EQ(o.sink, 0u);
  EXPECT_TRUE(o.protect_prompt);
  EXPECT_EQ(KvOptions::parse("full", {}).policy_name(), "full");
}

TEST(KvOptions, EachPolicyStartsFromItsPublishedForm) {
  for (const std::string& policy : kPolicies) {
    const KvOptions parsed = KvOptions::parse(policy, {}), of = KvOptions::of(parsed.policy);
    EXPECT_EQ(parsed.policy_name(), policy);
    EXPECT_EQ(parsed.to_map(), of.to_map()) << policy;
    EXPECT_EQ(refusal(of), "accepted") << policy;
    EXPECT_EQ(of.evicts(), policy != "full");
    EXPECT_TRUE(of.protect_prompt) << policy;
    EXPECT_EQ(of.interval, 1024u) << policy;
    EXPECT_EQ(of.ratio, 4.0) << policy;
    EXPECT_FALSE(of.by_budget()) << policy;
    EXPECT_EQ(of.sink, policy == "streaming" ? 4u : 0u) << policy;
  }
  for (const KvPolicy policy : {KvPolicy::kStreaming, KvPolicy::kRecency, KvPolicy::kKnorm,
                                KvPolicy::kH2o, KvPolicy::kTova}) {
    EXPECT_EQ(KvOptions::of(policy).window, 0u);
  }
  const KvOptions h2o = KvOptions::of(KvPolicy::kH2o), tova = KvOptions::of(KvPolicy::kTova);
  EXPECT_EQ(h2o.granularity, KvGranularity::kKvHead);
  EXPECT_EQ(h2o.aggregation, KvAggregation::kSum);
  EXPECT_EQ(h2o.decay, 1.0);
  EXPECT_EQ(h2o.recent, 0u);
  EXPECT_EQ(tova.granularity, KvGranularity::kLayer);
  EXPECT_EQ(tova.aggregation, KvAggregation::kMean);
  const KvOptions snapkv = KvOptions::of(KvPolicy::kSnapKv), rkv = KvOptions::of(KvPolicy::kRkv);
  for (const KvOptions& o : {snapkv, rkv}) {
    EXPECT_EQ(o.granularity, KvGranularity::kKvHead);
    EXPECT_EQ(o.window, 8u);
    EXPECT_EQ(o.kernel, 7u);
    EXPECT_EQ(o.pool, KvPool::kMax);
  }
  EXPECT_EQ(snapkv.aggregation, KvAggregation::kMean);
  EXPECT_EQ(snapkv.softmax, KvSoftmax::kFull);
  EXPECT_EQ(snapkv.phase, KvPhase::kAll);
  EXPECT_EQ(rkv.aggregation, KvAggregation::kMax);
  EXPECT_EQ(rkv.softmax, KvSoftmax::kCandidates);
  EXPECT_EQ(rkv.lambda, 0.1);
  EXPECT_EQ(rkv.similarity, 0.5);
  EXPECT_EQ(KvOptions::of(KvPolicy::kKnorm).granularity, KvGranularity::kKvHead);
}

TEST(KvOptions, APolicyHasTheOptionsThatItHonours) {
  const Names common = {"type", "interval", "window", "ratio", "cap", "sink", "protect-prompt"};
  const std::map<std::string, Names> more = {
      {"rpc", {"granularity", "gqa-agg", "kernel", "pool", "selector", "softmax"}},
      {"random", {"granularity", "seed"}},
      {"streaming", {"positions"}},
      {"recency", {"positions"}},
      {"knorm", {"granularity"}},
      {"h2o", {"granularity", "gqa-agg", "recent", "decay"}},
      {"tova", {"granularity", "gqa-agg"}},
      {"snapkv", {"granularity", "gqa-agg", "kernel", "pool", "softmax", "phase"}},
      {"rkv", {"granularity", "gqa-agg", "kernel", "pool", "softmax", "lambda", "similarity"}}};
  Names all = common;
  for (const auto& [policy, names] : more) all.insert(names.begin(), names.end());
  for (const auto& [policy, names] : more) {
    Names expected = common;
    expected.insert(names.begin(), names.end());
    EXPECT_EQ(names_of(KvOptions::parse(policy, {})), expected) << policy;
    for (const std::string& name : all) {
      if (expected.count(name) != 0) continue;
      EXPECT_THAT(refusal(policy, {{name, "1"}}),
                  HasSubstr("--kv-" + name + " does not apply to --kv-policy " + policy));
    }
  }
}

TEST(KvOptions, ReadsEveryOption) {
  const Map given = {{"interval", "96"},   {"window", "9"},           {"ratio", "2.5"},
                     {"kernel", "3"},      {"pool", "max"},           {"granularity", "kv_head"},
                     {"selector", "last"}, {"softmax", "full"},       {"cap", "40"},
                     {"type", "bf16"},     {"protect-prompt", "off"}, {"sink", "3"},
                     {"gqa-agg", "sum"}};
  const KvOptions o = KvOptions::parse("rpc", given);
  EXPECT_EQ(o.interval, 96u);
  EXPECT_EQ(o.window, 9u);
  EXPECT_EQ(o.ratio, 2.5);
  EXPECT_EQ(o.kernel, 3u);
  EXPECT_EQ(o.pool, KvPool::kMax);
  EXPECT_EQ(o.granularity, KvGranularity::kKvHead);
  EXPECT_EQ(o.aggregation, KvAggregation::kSum);
  EXPECT_EQ(o.selector, KvSelector::kLast);
  EXPECT_EQ(o.softmax, KvSoftmax::kFull);
  EXPECT_EQ(o.cap, 40u);
  EXPECT_EQ(o.sink, 3u);
  EXPECT_EQ(o.type, KvType::kBF16);
  EXPECT_FALSE(o.protect_prompt);

  Map printed = given;
  printed["protect-prompt"] = "false";
  EXPECT_EQ(o.to_map(), printed) << "every option that it has, and no other";
  EXPECT_EQ(KvOptions::parse("rpc", o.to_map()).to_map(), printed);

  const KvOptions h2o = KvOptions::parse("h2o", {{"recent", "7"}, {"decay", "0.99"}});
  EXPECT_EQ(h2o.recent, 7u);
  EXPECT_EQ(h2o.decay, 0.99);
  const KvOptions rkv = KvOptions::parse("rkv", {{"lambda", "0.07"}, {"similarity", "0.8"}});
  EXPECT_EQ(rkv.lambda, 0.07);
  EXPECT_EQ(rkv.similarity, 0.8);
  EXPECT_EQ(KvOptions::parse("streaming", {{"positions", "cache"}}).positions, KvPositions::kCache);
  const KvOptions prompt = KvOptions::parse(
      "snapkv", {{"phase", "prompt"}, {"budget", "320"}, {"protect-prompt", "false"}});
  EXPECT_EQ(prompt.phase, KvPhase::kPrompt);
  EXPECT_EQ(prompt.budget, 320u);
  EXPECT_TRUE(prompt.by_budget());
}

TEST(KvOptions, EveryWordIsReadAndPrintedBack) {
  const std::map<std::string, std::vector<std::string>> words = {
      {"type", {"f32", "f16", "bf16", "q8_0"}}, {"pool", {"avg", "max", "none"}},
      {"granularity", {"layer", "kv_head"}},    {"selector", {"exact", "reference", "last"}},
      {"softmax", {"candidates", "full"}},      {"protect-prompt", {"true", "false"}},
      {"gqa-agg", {"mean", "max", "sum"}},      {"ratio", {"1", "4", "1.1", "2.5"}}};
  for (const auto& [name, texts] : words) {
    for (const std::string& text : texts) expect_round_trip("rpc", {{name, text}});
  }
  for (const char* text : {"absolute", "cache"}) {
    expect_round_trip("recency", {{"positions", text}});
  }
  EXPECT_TRUE(KvOptions::parse("rpc", {{"protect-prompt", "on"}}).protect_prompt);
}

TEST(KvOptions, TheTextFormSaysWhatCounts) {
  const Map budget = KvOptions::parse("tova", {{"budget", "256"}}).to_map();
  EXPECT_EQ(budget.at("budget"), "256");
  EXPECT_EQ(budget.count("ratio") + budget.count("cap"), 0u);
  EXPECT_EQ(KvOptions::parse("tova", {}).to_map().count("budget"), 0u);
  expect_round_trip("tova", {{"budget", "256"}, {"interval", "1"}});
  expect_round_trip("h2o", {{"budget", "64"}, {"recent", "16"}, {"window", "4"}});
  const Map once = {{"phase", "prompt"}, {"budget", "320"}, {"protect-prompt", "false"}};
  expect_round_trip("snapkv", once);
  EXPECT_EQ(KvOptions::parse("snapkv", once).to_map().count("interval"), 0u);
}

TEST(KvOptions, FullHasATypeAndNothingElse) {
  EXPECT_EQ(KvOptions::parse("full", {{"type", "f32"}}).type, KvType::kF32);
  EXPECT_EQ(KvOptions::parse("full", {{"type", "f32"}}).to_map(), (Map{{"type", "f32"}}));
  EXPECT_EQ(refusal("full", {{"interval", "64"}}),
            "--kv-interval does not apply to --kv-policy full");
  for (const std::string& policy : kPolicies) {
    for (const auto& [name, text] : KvOptions::parse(policy, {}).to_map()) {
      if (name == "type") continue;
      EXPECT_THAT(refusal("full", {{name, text}}),
                  HasSubstr("--kv-" + name + " does not apply to --kv-policy full"));
    }
  }
}

TEST(KvOptions, RandomHasTheScheduleAndASeed) {
  const Map given = {{"type", "f32"},  {"interval", "64"},          {"window", "8"},
                     {"ratio", "2.5"}, {"granularity", "kv_head"},  {"cap", "40"},
                     {"seed", "12"},   {"protect-prompt", "false"}, {"sink", "2"}};
  const KvOptions o = KvOptions::parse("random", given);
  EXPECT_EQ(o.policy, KvPolicy::kRandom);
  EXPECT_EQ(o.policy_name(), "random");
  EXPECT_EQ(o.seed, 12u);
  EXPECT_EQ(o.cap, 40u);
  EXPECT_EQ(o.to_map(), given) << "every option that it has, and no other";
  EXPECT_EQ(KvOptions::parse("random", {}).seed, 0u);

  const std::string most = "18446744073709551615";
  EXPECT_EQ(KvOptions::parse("random", {{"seed", most}}).to_map().at("seed"), most);
  for (const char* text : {"-1", "one", "1.5", "", "18446744073709551616"}) {
    EXPECT_EQ(refusal("random", {{"seed", text}}),
              "--kv-seed '" + std::string(text) + "' is not a whole number of at most " + most);
  }
  EXPECT_THAT(refusal("random", {{"ratio", "0.5"}}), HasSubstr("--kv-ratio 0.5"));

  KvOptions even = o;
  even.kernel = 4;
  EXPECT_NO_THROW(even.validate()) << "random has no kernel";
  even.interval = 0;
  EXPECT_THROW(even.validate(), Error);
}

TEST(KvOptions, AWindowIsNeededWhereItsQueriesScore) {
  for (const char* policy : {"rpc", "snapkv", "rkv"}) {
    EXPECT_THAT(refusal(policy, {{"window", "0"}}),
                AllOf(HasSubstr("--kv-window 0"), HasSubstr("1 to ")));
  }
  for (const char* policy : {"random", "streaming", "recency", "knorm", "h2o", "tova"}) {
    EXPECT_EQ(KvOptions::parse(policy, {{"window", "0"}}).window, 0u) << policy;
  }
  EXPECT_EQ(refusal("rpc", {{"interval", "4"}, {"window", "32"}}), "accepted");
}

TEST(KvOptions, NamesMayBeWrittenWithUnderscores) {
  EXPECT_FALSE(KvOptions::parse("random", {{"protect_prompt", "false"}}).protect_prompt);
  EXPECT_EQ(KvOptions::parse("tova", {{"gqa_agg", "max"}}).aggregation, KvAggregation::kMax);
  EXPECT_EQ(refusal("rpc", {{"protect_prompt", "true"}, {"protect-prompt", "false"}}),
            "--kv-protect-prompt is given twice");
}

TEST(KvOptions, RefusalsNameFlagValueAndRange) {
  EXPECT_THAT(refusal("lru", {}), AllOf(HasSubstr("--kv-policy 'lru'"),
                                        HasSubstr("full, rpc, random, streaming, recency, knorm, "
                                                  "h2o, tova, snapkv, rkv")));
  EXPECT_THAT(refusal("rpc", {{"budgets", "9"}}),
              AllOf(HasSubstr("--kv-budgets is unknown"), HasSubstr("--kv-interval")));
  for (const char* ratio : {"0.5", "0", "-4", "nan", "inf", "-inf"}) {
    EXPECT_THAT(refusal("rpc", {{"ratio", ratio}}),
                AllOf(HasSubstr(std::string("--kv-ratio ") + ratio), HasSubstr("at least 1")));
  }
  EXPECT_THAT(refusal("rpc", {{"ratio", "four"}}), HasSubstr("--kv-ratio 'four'"));
  EXPECT_THAT(refusal("rpc", {{"ratio", "4x"}}), HasSubstr("--kv-ratio '4x'"));
  EXPECT_THAT(
      refusal("rpc", {{"interval", "8"}, {"ratio", "8.5"}}),
      AllOf(HasSubstr("--kv-ratio 8.5"), HasSubstr("--kv-interval 8"), HasSubstr("1 to 8")));
  for (const char* name : {"interval", "window", "kernel"}) {
    EXPECT_THAT(refusal("rpc", {{name, "0"}}),
                AllOf(HasSubstr(std::string("--kv-") + name + " 0"), HasSubstr("1 to ")));
  }
  for (const char* name : {"interval", "window", "kernel", "cap", "budget", "sink"}) {
    const std::string flag = std::string("--kv-") + name;
    for (const char* text : {"", "-1", "+1", "1.5", " 1", "1 ", "1k", "99999999999999999999999"}) {
      EXPECT_THAT(refusal("rpc", {{name, text}}), HasSubstr(flag + " '" + text + "'"));
    }
    EXPECT_THAT(refusal("rpc", {{name, "2147483648"}}), HasSubstr(flag + " 2147483648"));
  }
  EXPECT_THAT(refusal("rpc", {{"kernel", "5"}, {"pool", "none"}}), HasSubstr("no effect"));
  const KvOptions unpooled = KvOptions::parse("rpc", {{"pool", "none"}});
  EXPECT_EQ(KvOptions::parse("rpc", unpooled.to_map()).to_map(), unpooled.to_map());
  for (const char* policy : {"rpc", "snapkv", "rkv"}) {
    EXPECT_THAT(refusal(policy, {{"kernel", "6"}}),
                AllOf(HasSubstr("--kv-kernel 6"), HasSubstr("odd")));
  }
  EXPECT_THAT(refusal("rpc", {{"pool", "sum"}}),
              AllOf(HasSubstr("--kv-pool 'sum'"), HasSubstr("avg, max, none")));
  EXPECT_THAT(refusal("rpc", {{"granularity", "head"}}), HasSubstr("layer, kv_head"));
  EXPECT_THAT(refusal("rpc", {{"gqa-agg", "min"}}), HasSubstr("mean, max, sum"));
  EXPECT_THAT(refusal("rpc", {{"selector", "new"}}), HasSubstr("exact, reference, last"));
  EXPECT_THAT(refusal("rpc", {{"softmax", ""}}), HasSubstr("candidates, full"));
  EXPECT_THAT(refusal("rpc", {{"type", "q4_0"}}), HasSubstr("f32, f16, bf16, q8_0"));
  EXPECT_THAT(refusal("rpc", {{"protect-prompt", "yes"}}), HasSubstr("true, false"));
  EXPECT_THAT(refusal("streaming", {{"positions", "true"}}), HasSubstr("absolute, cache"));
}

TEST(KvOptions, RatioAndBudgetAreTwoLaws) {
  EXPECT_THAT(refusal("rpc", {{"ratio", "4"}, {"budget", "256"}}),
              AllOf(HasSubstr("--kv-ratio 4"), HasSubstr("--kv-budget 256"), HasSubstr("one of")));
  EXPECT_THAT(refusal("rpc", {{"cap", "40"}, {"budget", "256"}}),
              AllOf(HasSubstr("--kv-cap"), HasSubstr("--kv-budget")));
  KvOptions capped = KvOptions::of(KvPolicy::kRpc);
  capped.budget = 256;
  EXPECT_EQ(refusal(capped), "accepted");
  capped.cap = 40;
  EXPECT_THAT(refusal(capped), AllOf(HasSubstr("--kv-cap 40"), HasSubstr("--kv-budget 256")));
  EXPECT_EQ(refusal("tova", {{"budget", "64"}, {"interval", "1"}}), "accepted")
      << "the ratio's default is more than the interval and says nothing";
}

TEST(KvOptions, ABudgetHoldsWhatAlwaysStays) {
  EXPECT_EQ(refusal("rpc", {{"budget", "32"}}), "accepted");
  EXPECT_THAT(refusal("rpc", {{"budget", "31"}}),
              AllOf(HasSubstr("--kv-budget 31"), HasSubstr("32 newest"), HasSubstr("at least 32")));
  EXPECT_THAT(refusal("streaming", {{"budget", "3"}}),
              AllOf(HasSubstr("--kv-budget 3"), HasSubstr("4 sinks"), HasSubstr("at least 4")));
  // The window is among the recent rows.
  const Map h2o = {{"sink", "4"}, {"recent", "16"}, {"window", "8"}};
  Map tight = h2o, small = h2o;
  tight["budget"] = "20";
  small["budget"] = "19";
  EXPECT_EQ(refusal("h2o", tight), "accepted");
  EXPECT_THAT(refusal("h2o", small), AllOf(HasSubstr("--kv-budget 19"), HasSubstr("4 sinks"),
                                           HasSubstr("16 newest"), HasSubstr("at least 20")));
  EXPECT_EQ(refusal("h2o", {{"budget", "64"}, {"recent", "40"}, {"window", "32"}}), "accepted");
}

// Beside a protected prompt the first compression keeps T rows and the window: with more recent
// ones than that h2o would rank nothing.
TEST(KvOptions, ByRatioRecentRowsLeaveSomethingToRank) {
  Map h2o = {{"interval", "64"}, {"window", "8"}, {"recent", "24"}};  // T = 16
  EXPECT_EQ(refusal("h2o", h2o), "accepted");
  h2o["recent"] = "25";
  EXPECT_THAT(refusal("h2o", h2o), AllOf(HasSubstr("--kv-recent 25"), HasSubstr("16 rows"),
                                         HasSubstr("window of 8"), HasSubstr("at most 24")));
  h2o["protect-prompt"] = "false";
  EXPECT_EQ(refusal("h2o", h2o), "accepted") << "the prompt's rows may make room";
  h2o.erase("protect-prompt");
  h2o["recent"] = "14";
  h2o["cap"] = "6";
  EXPECT_EQ(refusal("h2o", h2o), "accepted");
  h2o["cap"] = "5";
  EXPECT_THAT(refusal("h2o", h2o), AllOf(HasSubstr("--kv-recent 14"), HasSubstr("at most 13")));
}

TEST(KvOptions, APromptIsCompressedOnceToABudget) {
  const Map phase = {{"phase", "prompt"}};
  EXPECT_THAT(refusal("snapkv", phase), AllOf(HasSubstr("--kv-phase"), HasSubstr("--kv-budget")));
  Map given = phase;
  given["budget"] = "320";
  EXPECT_THAT(refusal("snapkv", given), HasSubstr("--no-kv-protect-prompt"));
  given["protect-prompt"] = "false";
  EXPECT_EQ(refusal("snapkv", given), "accepted");
  given["interval"] = "64";
  EXPECT_THAT(refusal("snapkv", given),
              AllOf(HasSubstr("--kv-interval has no effect"), HasSubstr("--kv-phase prompt")));
  EXPECT_THAT(refusal("rkv", phase), HasSubstr("--kv-phase does not apply"));
}

TEST(KvOptions, NumbersOfRankingsHaveTheirRange) {
  for (const char* text : {"0", "-0.5", "1.01", "nan", "inf"}) {
    EXPECT_THAT(refusal("h2o", {{"decay", text}}), HasSubstr(std::string("--kv-decay ") + text));
  }
  for (const char* text : {"1", "0.5", "1e-09"}) expect_round_trip("h2o", {{"decay", text}});
  for (const char* name : {"lambda", "similarity"}) {
    const std::string flag = std::string("--kv-") + name + " ";
    for (const char* text : {"-0.1", "1.5", "nan", "-inf"}) {
      EXPECT_THAT(refusal("rkv", {{name, text}}),
                  AllOf(HasSubstr(flag + text), HasSubstr("0 to 1")));
    }
    EXPECT_THAT(refusal("rkv", {{name, "half"}}), HasSubstr("is not a number"));
    for (const char* text : {"0", "0.07", "1"}) expect_round_trip("rkv", {{name, text}});
  }
}

TEST(KvOptions, APartOfRkvWithoutWeightHasNoOptions) {
  for (const auto& [name, text] :
       Map{{"kernel", "5"}, {"pool", "avg"}, {"softmax", "full"}, {"gqa-agg", "mean"}}) {
    EXPECT_EQ(refusal("rkv", {{"lambda", "0"}, {name, text}}),
              "--kv-" + name + " has no effect with --kv-lambda 0, which leaves importance out");
    EXPECT_EQ(refusal("rkv", {{"lambda", "1"}, {name, text}}), "accepted");
    EXPECT_EQ(KvOptions::parse("rkv", {{"lambda", "0"}}).to_map().count(name), 0u);
  }
  EXPECT_EQ(refusal("rkv", {{"lambda", "1"}, {"similarity", "0.6"}}),
            "--kv-similarity has no effect with --kv-lambda 1, which leaves redundancy out");
  EXPECT_EQ(refusal("rkv", {{"lambda", "0"}, {"similarity", "0.6"}}), "accepted");
  EXPECT_EQ(KvOptions::parse("rkv", {{"lambda", "1"}}).to_map().count("similarity"), 0u);
}

TEST(KvOptions, PositionsInTheCacheNeedFirstRowsThatStay) {
  const Map bare = {{"positions", "cache"}, {"protect-prompt", "false"}, {"sink", "0"}};
  EXPECT_THAT(refusal("streaming", bare), HasSubstr("--kv-positions cache"));
  EXPECT_EQ(refusal("recency", {{"positions", "cache"}}), "accepted") << "the prompt stays";
  EXPECT_EQ(refusal("streaming", {{"positions", "cache"}, {"protect-prompt", "false"}}),
            "accepted");
}

TEST(KvOptions, HeadsMayDifferUnderEveryPolicy) {
  for (const std::string& policy : kPolicies) {
    const Map given = {
        {"heads", "adapter_weights.tsv"}, {"sparsity", "0.5"}, {"sink", "8"}, {"recent", "24"}};
    const KvOptions o = KvOptions::parse(policy, given);
    EXPECT_EQ(o.heads, "adapter_weights.tsv");
    EXPECT_EQ(o.sparsity, "0.5");
    EXPECT_EQ(o.heads_threshold, "");
    EXPECT_EQ(o.head_sink, 8u);
    EXPECT_EQ(o.head_recent, 24u);
    EXPECT_EQ(o.sink, KvOptions::of(o.policy).sink) << policy;
    EXPECT_EQ(o.recent, KvOptions::of(o.policy).recent) << policy;
    expect_round_trip(policy, given);
    expect_round_trip(policy, {{"heads", "random:7"}, {"heads-threshold", "0.25"}});
    const Map printed = KvOptions::parse(policy, {{"heads", "f"}, {"sparsity", "1"}}).to_map();
    EXPECT_EQ(printed.at("sink"), "16");
    EXPECT_EQ(printed.at("recent"), "64");
    for (const std::string& name : kHeadNames) {
      EXPECT_EQ(KvOptions::parse(policy, {}).to_map().count(name), 0u);
    }
  }
  expect_round_trip("full", {{"heads", "a"}, {"sparsity", "0.2"}, {"sink", "0"}, {"recent", "1"}});
}

TEST(KvOptions, OneChoiceOfHeadsIsOneText) {
  const auto printed = [](const Map& more) {
    Map given = {{"heads", "f.tsv"}};
    given.insert(more.begin(), more.end());
    return KvOptions::parse("rpc", given).to_map();
  };
  const Map share = printed({{"sparsity", "0.5"}}), score = printed({{"heads-threshold", "0.5"}});
  EXPECT_EQ(share.at("sparsity"), "0.5");
  EXPECT_EQ(score.at("heads-threshold"), "0.5");
  for (const char* text : {".5", "0.50"}) {
    EXPECT_EQ(printed({{"sparsity", text}}), share) << text;
    EXPECT_EQ(printed({{"heads-threshold", text}}), score) << text;
  }
}

TEST(KvOptions, HeadsAreChosenInOneWay) {
  const auto refused = [](Map more, const std::string& part) {
    more.emplace("heads", "f.tsv");
    for (const char* policy : {"full", "rpc"}) {
      EXPECT_THAT(refusal(policy, more), HasSubstr(part)) << policy;
    }
  };
  refused({}, "--kv-sparsity");
  refused({}, "--kv-heads-threshold");
  refused({{"sparsity", "0.5"}, {"heads-threshold", "0.5"}}, "give one of them");
  for (const char* text : {"-0.1", "1.1", "2", "half", "nan", "5e-1", ".", "0.5.", "+0.5", "0,5"}) {
    refused({{"sparsity", text}}, std::string("--kv-sparsity '") + text + "'");
  }
  for (const char* text : {"nan", "inf", "high", "0.5x"}) {
    refused({{"heads-threshold", text}}, std::string("--kv-heads-threshold '") + text + "'");
  }
  refused({{"sparsity", ""}}, "--kv-sparsity is given and empty");
  refused({{"sparsity", "0.5"}, {"recent", "0"}}, "--kv-recent 0");
  for (const char* text : {"random:", "random:x", "random:-1", "random:18446744073709551616"}) {
    EXPECT_THAT(refusal("rpc", {{"heads", text}, {"sparsity", "0.5"}}), HasSubstr(text));
  }
  EXPECT_THAT(refusal("rpc", {{"heads", ""}, {"sparsity", "0.5"}}), HasSubstr("--kv-heads"));
}

TEST(KvOptions, WhatBelongsToHeadsNeedsThem) {
  EXPECT_THAT(refusal("rpc", {{"sparsity", "0.5"}}),
              HasSubstr("--kv-sparsity has no effect without --kv-heads"));
  EXPECT_THAT(refusal("full", {{"heads-threshold", "0.5"}}),
              HasSubstr("--kv-heads-threshold has no effect without --kv-heads"));
  EXPECT_EQ(refusal("rpc", {{"recent", "64"}}),
            "--kv-recent does not apply to --kv-policy rpc without --kv-heads");
  EXPECT_EQ(refusal("full", {{"sink", "16"}}),
            "--kv-sink does not apply to --kv-policy full without --kv-heads");
  KvOptions o = KvOptions::of(KvPolicy::kRpc);
  o.heads = "f.tsv";
  o.sparsity = "0.5";
  EXPECT_EQ(refusal(o), "accepted");
  o.sink = 4;
  EXPECT_THAT(refusal(o), HasSubstr("--kv-sink")) << "the text form could not say it";
}

TEST(KvOptions, ValidateSeesWhatParseCannot) {
  KvOptions o = KvOptions::parse("rpc", {});
  o.window = 0;
  EXPECT_THROW(o.validate(), Error);
  o = {};
  o.ratio = 0.5;
  EXPECT_NO_THROW(o.validate()) << "full has no ratio";
  o = KvOptions::of(KvPolicy::kH2o);
  o.decay = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THROW(o.validate(), Error);
}

// Whatever parse accepts, it prints in a form that means the same.
RC_GTEST_PROP(KvOptionsProperty, TheTextFormIsWhole, ()) {
  const std::string policy = *rc::gen::elementOf(kPolicies);
  const std::map<std::string, std::vector<std::string>> texts = {
      {"type", {"f32", "f16", "bf16", "q8_0"}},
      {"interval", {"1", "64", "1024"}},
      {"window", {"0", "1", "8"}},
      {"ratio", {"1", "2.5", "100"}},
      {"cap", {"0", "7"}},
      {"budget", {"0", "16", "300"}},
      {"sink", {"0", "4"}},
      {"recent", {"0", "9"}},
      {"protect-prompt", {"true", "false"}},
      {"granularity", {"layer", "kv_head"}},
      {"phase", {"all", "prompt"}},
      {"gqa-agg", {"mean", "max", "sum"}},
      {"kernel", {"1", "4", "5"}},
      {"pool", {"avg", "max", "none"}},
      {"selector", {"exact", "last"}},
      {"softmax", {"candidates", "full"}},
      {"decay", {"1", "0.9", "0"}},
      {"lambda", {"0", "0.07"}},
      {"similarity", {"0.5", "2"}},
      {"positions", {"absolute", "cache"}},
      {"seed", {"0", "99"}},
      {"heads", {"f.tsv", "random:3"}},
      {"sparsity", {"0.5", "0.20"}},
      {"heads-threshold", {"0.5", "-1"}}};
  Map given;
  const auto count = *rc::gen::inRange<std::size_t>(0, 5);
  for (std::size_t i = 0; i < count; ++i) {
    const auto& [name, allowed] = *rc::gen::elementOf(
        std::vector<std::pair<std::string, std::vector<std::string>>>(texts.begin(), texts.end()));
    given[name] = *rc::gen::elementOf(allowed);
  }
  if (refusal(policy, given) != "accepted") return;
  const KvOptions o = KvOptions::parse(policy, given);
  RC_ASSERT(refusal(o) == "accepted");
  const Map printed = o.to_map();
  const KvOptions again = KvOptions::parse(o.policy_name(), printed);
  RC_ASSERT(again.to_map() == printed);
  RC_ASSERT(again.policy == o.policy);
  for (const auto& [name, text] : given) {
    const bool none = (name == "budget" && text == "0") || (name == "cap" && text == "0");
    RC_ASSERT((none || printed.count(name) == 1u));
  }
}

}  // namespace
}  // namespace laconic
