// SPDX-License-Identifier: Apache-2.0
#include "laconic/kv_options.h"

#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <type_traits>

#include "base/error.h"

namespace laconic {
namespace {

// Rows are counted by 32-bit positions; within this bound the laws of the schedule cannot overflow.
constexpr std::size_t kMaxCount = std::numeric_limits<std::int32_t>::max();

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
  static constexpr std::array<Word<KvPolicy>, 2> kList{
      {{"full", KvPolicy::kFull}, {"rpc", KvPolicy::kRpc}}};
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

template <typename Value>
void read(std::string_view flag, std::string_view text, Value& value) {
  std::string allowed;
  for (const auto& word : Words<Value>::kList) {
    if (word.text == text) {
      value = word.value;
      return;
    }
    allowed += (allowed.empty() ? "" : ", ") + std::string(word.text);
  }
  throw_usage("--kv-{} '{}' is unknown; allowed are {}", flag, text, allowed);
}

template <typename Number>
bool parse_number(std::string_view text, Number& value) {
  const char* end = text.data() + text.size();
  const auto [stop, failure] = std::from_chars(text.data(), end, value);
  return failure == std::errc() && stop == end;
}

void read(std::string_view flag, std::string_view text, std::size_t& value) {
  if (!parse_number(text, value)) {
    throw_usage("--kv-{} '{}' is not a whole number of at most {}", flag, text, kMaxCount);
  }
}

void read(std::string_view flag, std::string_view text, double& value) {
  if (!parse_number(text, value)) throw_usage("--kv-{} '{}' is not a number", flag, text);
}

template <typename Value>
std::string print(Value value) {
  for (const auto& word : Words<Value>::kList) {
    if (word.value == value) return std::string(word.text);
  }
  return "?";
}
std::string print(std::size_t value) { return std::to_string(value); }
std::string print(double value) { return fmt::format("{}", value); }

// Every option once: its flag name, and whether `full` has it too.
template <typename Options, typename Visitor>
void for_each_option(Options& o, const Visitor& visit) {
  visit("type", o.type, true);
  visit("interval", o.interval, false);
  visit("window", o.window, false);
  visit("ratio", o.ratio, false);
  visit("kernel", o.kernel, false);
  visit("pool", o.pool, false);
  visit("granularity", o.granularity, false);
  visit("selector", o.selector, false);
  visit("softmax", o.softmax, false);
  visit("cap", o.cap, false);
  visit("protect-prompt", o.protect_prompt, false);
}

void require_range(std::string_view flag, std::size_t value, std::size_t least) {
  if (value < least || value > kMaxCount) {
    throw_usage("--kv-{} {} is outside its range, {} to {}", flag, value, least, kMaxCount);
  }
}

}  // namespace

KvOptions KvOptions::parse(std::string_view policy,
                           const std::map<std::string, std::string>& options) {
  KvOptions parsed;
  read("policy", policy, parsed.policy);
  for (const auto& [name, text] : options) {
    bool known = false;
    std::string names;
    for_each_option(parsed, [&, &key = name, &word = text](std::string_view flag, auto& value,
                                                           bool of_every_policy) {
      const bool applies = of_every_policy || parsed.policy == KvPolicy::kRpc;
      if (applies) names += (names.empty() ? "--kv-" : ", --kv-") + std::string(flag);
      if (flag != key) return;
      if (!applies) throw_usage("--kv-{} does not apply to --kv-policy {}", flag, policy);
      read(flag, word, value);
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
  if (policy == KvPolicy::kFull) return;
  require_range("interval", interval, 1);
  require_range("window", window, 1);
  require_range("kernel", kernel, 1);
  require_range("cap", cap, 0);
  if (kernel % 2 == 0) throw_usage("--kv-kernel {} is even; the width must be odd", kernel);
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
  for_each_option(*this, [&](std::string_view flag, const auto& value, bool of_every_policy) {
    if (of_every_policy || policy == KvPolicy::kRpc) map.emplace(flag, print(value));
  });
  if (pool == KvPool::kNone) map.erase("kernel");
  return map;
}

}  // namespace laconic
