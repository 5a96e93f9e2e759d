// SPDX-License-Identifier: Apache-2.0
#include "laconic/kv_options.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <concepts>
#include <limits>
#include <type_traits>

#include "base/error.h"

namespace laconic {
namespace {

// Rows are counted by 32-bit positions; within this bound the laws of the schedule cannot overflow.
constexpr std::size_t kMaxCount = std::numeric_limits<std::int32_t>::max();

template <typename Number>
concept WholeNumber = std::unsigned_integral<Number> && !std::same_as<Number, bool>;

// The words that a choice understands; the first spelling of a value is the one it prints as.
template <typename Enum>
struct Word {
  std::string_view text;
  Enum value;
};

template <typename Value>
struct Words;
template <>
struct Words<KvPolicy> {
  static constexpr std::array<Word<KvPolicy>, 3> kList{
      {{"full", KvPolicy::kFull}, {"rpc", KvPolicy::kRpc}, {"random", KvPolicy::kRandom}}};
};
template <>
struct Words<KvType> {
  static constexpr std::array<Word<KvType>, 3> kList{
      {{"f32", KvType::kF32}, {"f16", KvType::kF16}, {"bf16", KvType::kBF16}}};
};
template <>
struct Words<KvPool> {
  static constexpr std::array<Word<KvPool>, 3> kList{
      {{"avg", KvPool::kAvg}, {"max", KvPool::kMax}, {"none", KvPool::kNone}}};
};
template <>
struct Words<KvGranularity> {
  static constexpr std::array<Word<KvGranularity>, 2> kList{
      {{"layer", KvGranularity::kLayer}, {"kv_head", KvGranularity::kKvHead}}};
};
template <>
struct Words<KvSelector> {
  static constexpr std::array<Word<KvSelector>, 3> kList{{{"exact", KvSelector::kExact},
                                                          {"reference", KvSelector::kReference},
                                                          {"last", KvSelector::kLast}}};
};
template <>
struct Words<KvSoftmax> {
  static constexpr std::array<Word<KvSoftmax>, 2> kList{
      {{"candidates", KvSoftmax::kCandidates}, {"full", KvSoftmax::kFull}}};
};
template <>
struct Words<bool> {
  static constexpr std::array<Word<bool>, 4> kList{
      {{"true", true}, {"false", false}, {"on", true}, {"off", false}}};
};

constexpr bool every_policy(KvPolicy) { return true; }
constexpr bool evicting(KvPolicy policy) { return policy != KvPolicy::kFull; }
constexpr bool only_rpc(KvPolicy policy) { return policy == KvPolicy::kRpc; }
constexpr bool only_random(KvPolicy policy) { return policy == KvPolicy::kRandom; }

struct Option {
  std::string_view flag;                      // without "--kv-"
  bool (*has)(KvPolicy);                      // the policies that have it
  std::uint64_t least = 0, most = kMaxCount;  // of a whole number
};

// Every option once.
template <typename Options, typename Visitor>
void for_each_option(Options& o, const Visitor& visit) {
  visit(Option{"type", every_policy}, o.type);
  visit(Option{"interval", evicting, 1}, o.interval);
  visit(Option{"window", evicting, 1}, o.window);
  visit(Option{"ratio", evicting}, o.ratio);
  visit(Option{"kernel", only_rpc, 1}, o.kernel);
  visit(Option{"pool", only_rpc}, o.pool);
  visit(Option{"granularity", evicting}, o.granularity);
  visit(Option{"selector", only_rpc}, o.selector);
  visit(Option{"softmax", only_rpc}, o.softmax);
  visit(Option{"cap", evicting}, o.cap);
  visit(Option{"protect-prompt", evicting}, o.protect_prompt);
  visit(Option{"seed", only_random, 0, std::numeric_limits<std::uint64_t>::max()}, o.seed);
}

template <typename Value>
void read(const Option& option, std::string_view text, Value& value) {
  std::string allowed;
  for (const auto& word : Words<Value>::kList) {
    if (word.text == text) {
      value = word.value;
      return;
    }
    allowed += (allowed.empty() ? "" : ", ") + std::string(word.text);
  }
  throw_usage("--kv-{} '{}' is unknown; allowed are {}", option.flag, text, allowed);
}

template <typename Number>
bool parse_number(std::string_view text, Number& value) {
  const char* end = text.data() + text.size();
  const auto [stop, failure] = std::from_chars(text.data(), end, value);
  return failure == std::errc() && stop == end;
}

template <WholeNumber Number>
void read(const Option& option, std::string_view text, Number& value) {
  if (!parse_number(text, value)) {
    throw_usage("--kv-{} '{}' is not a whole number of at most {}", option.flag, text, option.most);
  }
}

void read(const Option& option, std::string_view text, double& value) {
  if (!parse_number(text, value)) throw_usage("--kv-{} '{}' is not a number", option.flag, text);
}

template <typename Value>
std::string print(Value value) {
  for (const auto& word : Words<Value>::kList) {
    if (word.value == value) return std::string(word.text);
  }
  return "?";
}
template <WholeNumber Number>
std::string print(Number value) {
  return std::to_string(value);
}
std::string print(double value) { return fmt::format("{}", value); }

// What has no range of whole numbers needs no check here.
template <typename Value>
void require_range(const Option& option, const Value& value) {
  if constexpr (WholeNumber<Value>) {
    if (value >= option.least && value <= option.most) return;
    throw_usage("--kv-{} {} is outside its range, {} to {}", option.flag, value, option.least,
                option.most);
  }
}

// Option names with the dashes of flags; a name may also be written with underscores.
std::map<std::string, std::string> with_dashes(const std::map<std::string, std::string>& options) {
  std::map<std::string, std::string> out;
  for (const auto& [name, text] : options) {
    std::string flag = name;
    std::replace(flag.begin(), flag.end(), '_', '-');
    if (!out.emplace(flag, text).second) throw_usage("--kv-{} is given twice", flag);
  }
  return out;
}

}  // namespace

KvOptions KvOptions::parse(std::string_view policy,
                           const std::map<std::string, std::string>& options) {
  KvOptions parsed;
  read(Option{"policy", every_policy}, policy, parsed.policy);
  for (const auto& [name, text] : with_dashes(options)) {
    bool known = false;
    std::string names;
    for_each_option(parsed, [&, &key = name, &word = text](const Option& option, auto& value) {
      const bool applies = option.has(parsed.policy);
      if (applies) names += (names.empty() ? "--kv-" : ", --kv-") + std::string(option.flag);
      if (option.flag != key) return;
      if (!applies) throw_usage("--kv-{} does not apply to --kv-policy {}", option.flag, policy);
      read(option, word, value);
      known = true;
    });
    if (!known) {
      throw_usage("--kv-{} is unknown; --kv-policy {} takes {}", name, policy, names);
    }
  }
  if (parsed.pool == KvPool::kNone && options.count("kernel") != 0) {
    throw_usage("--kv-kernel has no effect with --kv-pool none");
  }
  parsed.validate();
  return parsed;
}

void KvOptions::validate() const {
  for_each_option(*this, [this](const Option& option, const auto& value) {
    if (option.has(policy)) require_range(option, value);
  });
  if (policy == KvPolicy::kFull) return;
  if (policy == KvPolicy::kRpc && kernel % 2 == 0) {
    throw_usage("--kv-kernel {} is even; the width must be odd", kernel);
  }
  if (!std::isfinite(ratio) || ratio < 1.0) {
    throw_usage("--kv-ratio {} is not allowed; it must be at least 1 (1 keeps every row)", ratio);
  }
  if (ratio > static_cast<double>(interval)) {
    throw_usage(
        "--kv-ratio {} would keep no row of an interval; with --kv-interval {} it is 1 to {}",
        ratio, interval, interval);
  }
}

std::string KvOptions::policy_name() const { return print(policy); }

std::map<std::string, std::string> KvOptions::to_map() const {
  std::map<std::string, std::string> map;
  for_each_option(*this, [&](const Option& option, const auto& value) {
    if (option.has(policy)) map.emplace(option.flag, print(value));
  });
  if (pool == KvPool::kNone) map.erase("kernel");
  return map;
}

}  // namespace laconic
