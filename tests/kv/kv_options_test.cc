// SPDX-License-Identifier: Apache-2.0
#include "laconic/kv_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "laconic/error.h"

namespace laconic {
namespace {

using Map = std::map<std::string, std::string>;

std::string refusal(std::string_view policy, const Map& options) {
  try {
    KvOptions::parse(policy, options);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kUsage);
    return error.what();
  }
  return "accepted";
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
  EXPECT_EQ(o.selector, KvSelector::kExact);
  EXPECT_EQ(o.softmax, KvSoftmax::kCandidates);
  EXPECT_EQ(o.cap, 0u);
  EXPECT_TRUE(o.protect_prompt);
  EXPECT_EQ(KvOptions::parse("full", {}).policy_name(), "full");
}

TEST(KvOptions, ReadsEveryOption) {
  const Map given = {{"interval", "96"},   {"window", "9"},          {"ratio", "2.5"},
                     {"kernel", "3"},      {"pool", "max"},          {"granularity", "kv_head"},
                     {"selector", "last"}, {"softmax", "full"},      {"cap", "40"},
                     {"type", "bf16"},     {"protect-prompt", "off"}};
  const KvOptions o = KvOptions::parse("rpc", given);
  EXPECT_EQ(o.interval, 96u);
  EXPECT_EQ(o.window, 9u);
  EXPECT_EQ(o.ratio, 2.5);
  EXPECT_EQ(o.kernel, 3u);
  EXPECT_EQ(o.pool, KvPool::kMax);
  EXPECT_EQ(o.granularity, KvGranularity::kKvHead);
  EXPECT_EQ(o.selector, KvSelector::kLast);
  EXPECT_EQ(o.softmax, KvSoftmax::kFull);
  EXPECT_EQ(o.cap, 40u);
  EXPECT_EQ(o.type, KvType::kBF16);
  EXPECT_FALSE(o.protect_prompt);

  Map printed = given;
  printed["protect-prompt"] = "false";
  EXPECT_EQ(o.to_map(), printed);
  EXPECT_EQ(KvOptions::parse("rpc", o.to_map()).to_map(), printed);
}

TEST(KvOptions, EveryWordIsReadAndPrintedBack) {
  const std::map<std::string, std::vector<std::string>> words = {
      {"type", {"f32", "f16", "bf16"}},      {"pool", {"avg", "max", "none"}},
      {"granularity", {"layer", "kv_head"}}, {"selector", {"exact", "reference", "last"}},
      {"softmax", {"candidates", "full"}},   {"protect-prompt", {"true", "false"}},
      {"ratio", {"1", "4", "1.1", "2.5"}}};
  for (const auto& [name, texts] : words) {
    for (const std::string& text : texts) {
      EXPECT_EQ(KvOptions::parse("rpc", {{name, text}}).to_map().at(name), text);
    }
  }
  EXPECT_TRUE(KvOptions::parse("rpc", {{"protect-prompt", "on"}}).protect_prompt);
}

TEST(KvOptions, FullHasATypeAndNothingElse) {
  EXPECT_EQ(KvOptions::parse("full", {{"type", "f32"}}).type, KvType::kF32);
  EXPECT_EQ(KvOptions::parse("full", {{"type", "f32"}}).to_map(), (Map{{"type", "f32"}}));
  EXPECT_EQ(refusal("full", {{"interval", "64"}}),
            "--kv-interval does not apply to --kv-policy full");
  for (const auto& [name, text] : KvOptions::parse("rpc", {}).to_map()) {
    if (name != "type") {
      EXPECT_EQ(refusal("full", {{name, text}}),
                "--kv-" + name + " does not apply to --kv-policy full");
    }
  }
}

TEST(KvOptions, RandomHasTheScheduleAndASeed) {
  const Map given = {{"type", "f32"},  {"interval", "64"},         {"window", "8"},
                     {"ratio", "2.5"}, {"granularity", "kv_head"}, {"cap", "40"},
                     {"seed", "12"},   {"protect-prompt", "false"}};
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
  for (const char* name : {"kernel", "pool", "selector", "softmax"}) {
    const std::string text = KvOptions::parse("rpc", {}).to_map().at(name);
    EXPECT_EQ(refusal("random", {{name, text}}),
              "--kv-" + std::string(name) + " does not apply to --kv-policy random");
  }
  for (const char* policy : {"full", "rpc"}) {
    EXPECT_EQ(refusal(policy, {{"seed", "1"}}),
              "--kv-seed does not apply to --kv-policy " + std::string(policy));
  }
  EXPECT_THAT(refusal("random", {{"window", "0"}}), ::testing::HasSubstr("--kv-window 0"));
  EXPECT_THAT(refusal("random", {{"ratio", "0.5"}}), ::testing::HasSubstr("--kv-ratio 0.5"));

  KvOptions even = o;
  even.kernel = 4;
  EXPECT_NO_THROW(even.validate()) << "random has no kernel";
  even.interval = 0;
  EXPECT_THROW(even.validate(), Error);
}

TEST(KvOptions, NamesMayBeWrittenWithUnderscores) {
  EXPECT_FALSE(KvOptions::parse("random", {{"protect_prompt", "false"}}).protect_prompt);
  EXPECT_EQ(refusal("rpc", {{"protect_prompt", "true"}, {"protect-prompt", "false"}}),
            "--kv-protect-prompt is given twice");
}

TEST(KvOptions, RefusalsNameFlagValueAndRange) {
  using ::testing::AllOf;
  using ::testing::HasSubstr;
  EXPECT_THAT(refusal("h2o", {}),
              AllOf(HasSubstr("--kv-policy 'h2o'"), HasSubstr("full, rpc, random")));
  EXPECT_THAT(refusal("rpc", {{"budget", "9"}}),
              AllOf(HasSubstr("--kv-budget"), HasSubstr("--kv-interval")));
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
  for (const char* name : {"interval", "window", "kernel", "cap"}) {
    const std::string flag = std::string("--kv-") + name;
    for (const char* text : {"", "-1", "+1", "1.5", " 1", "1 ", "1k", "99999999999999999999999"}) {
      EXPECT_THAT(refusal("rpc", {{name, text}}), HasSubstr(flag + " '" + text + "'"));
    }
    EXPECT_THAT(refusal("rpc", {{name, "2147483648"}}), HasSubstr(flag + " 2147483648"));
  }
  EXPECT_THAT(refusal("rpc", {{"kernel", "5"}, {"pool", "none"}}), HasSubstr("no effect"));
  const KvOptions unpooled = KvOptions::parse("rpc", {{"pool", "none"}});
  EXPECT_EQ(KvOptions::parse("rpc", unpooled.to_map()).to_map(), unpooled.to_map());
  EXPECT_THAT(refusal("rpc", {{"kernel", "6"}}),
              AllOf(HasSubstr("--kv-kernel 6"), HasSubstr("odd")));
  EXPECT_THAT(refusal("rpc", {{"pool", "sum"}}),
              AllOf(HasSubstr("--kv-pool 'sum'"), HasSubstr("avg, max, none")));
  EXPECT_THAT(refusal("rpc", {{"granularity", "head"}}), HasSubstr("layer, kv_head"));
  EXPECT_THAT(refusal("rpc", {{"selector", "new"}}), HasSubstr("exact, reference, last"));
  EXPECT_THAT(refusal("rpc", {{"softmax", ""}}), HasSubstr("candidates, full"));
  EXPECT_THAT(refusal("rpc", {{"type", "q8_0"}}), HasSubstr("f32, f16, bf16"));
  EXPECT_THAT(refusal("rpc", {{"protect-prompt", "yes"}}), HasSubstr("true, false"));
}

TEST(KvOptions, ValidateSeesWhatParseCannot) {
  KvOptions o = KvOptions::parse("rpc", {});
  o.window = 0;
  EXPECT_THROW(o.validate(), Error);
  o = {};
  o.ratio = 0.5;
  EXPECT_NO_THROW(o.validate()) << "full has no ratio";
}

}  // namespace
}  // namespace laconic
