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
#include "kv/head_set.h"
#include "kv/schedule.h"

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
  static constexpr std::array<Word<KvPolicy>, 10> kList{{{"full", KvPolicy::kFull},
                                                         {"rpc", KvPolicy::kRpc},
                                                         {"random", KvPolicy::kRandom},
                                                         {"streaming", KvPolicy::kStreaming},
                                                         {"recency", KvPolicy::kRecency},
                                                         {"knorm", KvPolicy::kKnorm},
                                                         {"h2o", KvPolicy::kH2o},
                                                         {"tova", KvPolicy::kTova},
                                                         {"snapkv", KvPolicy::kSnapKv},
                                                         {"rkv", KvPolicy::kRkv}}};
};
template <>
struct Words<KvType> {
  static constexpr std::array<Word<KvType>, 4> kList{{{"f32", KvType::kF32},
                                                      {"f16", KvType::kF16},
                                                      {"bf16", KvType::kBF16},
                                                      {"q8_0", KvType::kQ8_0}}};
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
struct Words<KvAggregation> {
  static constexpr std::array<Word<KvAggregation>, 3> kList{
      {{"mean", KvAggregation::kMean}, {"max", KvAggregation::kMax}, {"sum", KvAggregation::kSum}}};
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
struct Words<KvPositions> {
  static constexpr std::array<Word<KvPositions>, 2> kList{
      {{"absolute", KvPositions::kAbsolute}, {"cache", KvPositions::kCache}}};
};
template <>
struct Words<KvPhase> {
  static constexpr std::array<Word<KvPhase>, 2> kList{
      {{"all", KvPhase::kAll}, {"prompt", KvPhase::kPrompt}}};
};
template <>
struct Words<bool> {
  static constexpr std::array<Word<bool>, 4> kList{
      {{"true", true}, {"false", false}, {"on", true}, {"off", false}}};
};

template <KvPolicy... these>
constexpr bool one_of(KvPolicy policy) {
  return ((policy == these) || ...);
}

constexpr bool every_policy(KvPolicy) { return true; }
constexpr bool evicting(KvPolicy policy) { return policy != KvPolicy::kFull; }
// The place in the text alone decides: every list is the same.
constexpr auto by_place = one_of<KvPolicy::kStreaming, KvPolicy::kRecency>;
constexpr bool has_lists(KvPolicy policy) { return evicting(policy) && !by_place(policy); }
constexpr auto by_attention =
    one_of<KvPolicy::kRpc, KvPolicy::kH2o, KvPolicy::kTova, KvPolicy::kSnapKv, KvPolicy::kRkv>;
// The queries of the window score, and neighbours share their scores.
constexpr auto by_window = one_of<KvPolicy::kRpc, KvPolicy::kSnapKv, KvPolicy::kRkv>;
constexpr auto only_rpc = one_of<KvPolicy::kRpc>;
constexpr auto only_h2o = one_of<KvPolicy::kH2o>;
constexpr auto only_snapkv = one_of<KvPolicy::kSnapKv>;
constexpr auto only_rkv = one_of<KvPolicy::kRkv>;
constexpr auto only_random = one_of<KvPolicy::kRandom>;

struct Option {
  std::string_view flag;                      // without "--kv-"
  bool (*has)(KvPolicy);                      // the policies that have it
  std::uint64_t least = 0, most = kMaxCount;  // of a whole number
};

// Every option once.
template <typename Options, typename Visitor>
void for_each_option(Options& o, const Visitor& visit) {
  const bool headwise = !o.heads.empty();
  visit(Option{"type", every_policy}, o.type);
  visit(Option{"interval", evicting, 1}, o.interval);
  visit(Option{"window", evicting, by_window(o.policy) ? 1u : 0u}, o.window);
  visit(Option{"ratio", evicting}, o.ratio);
  visit(Option{"cap", evicting}, o.cap);
  visit(Option{"budget", evicting}, o.budget);
  if (headwise) {
    visit(Option{"sink", every_policy}, o.head_sink);
    visit(Option{"recent", every_policy, 1}, o.head_recent);
  } else {
    visit(Option{"sink", evicting}, o.sink);
    visit(Option{"recent", only_h2o}, o.recent);
  }
  visit(Option{"protect-prompt", evicting}, o.protect_prompt);
  visit(Option{"granularity", has_lists}, o.granularity);
  visit(Option{"phase", only_snapkv}, o.phase);
  visit(Option{"gqa-agg", by_attention}, o.aggregation);
  visit(Option{"kernel", by_window, 1}, o.kernel);
  visit(Option{"pool", by_window}, o.pool);
  visit(Option{"selector", only_rpc}, o.selector);
  visit(Option{"softmax", by_window}, o.softmax);
  visit(Option{"decay", only_h2o}, o.decay);
  visit(Option{"lambda", only_rkv}, o.lambda);
  visit(Option{"similarity", only_rkv}, o.similarity);
  visit(Option{"positions", by_place}, o.positions);
  visit(Option{"seed", only_random, 0, std::numeric_limits<std::uint64_t>::max()}, o.seed);
  visit(Option{"heads", every_policy}, o.heads);
  visit(Option{"sparsity", every_policy}, o.sparsity);
  visit(Option{"heads-threshold", every_policy}, o.heads_threshold);
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

// What the text must be is checked where all options are known: in validate().
void read(const Option& option, std::string_view text, std::string& value) {
  if (text.empty())
    throw_usage("--kv-{} is given and empty; leave it out or give a value", option.flag);
  value = text;
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
std::string print(const std::string& value) { return value; }

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

bool prompt_only(const KvOptions& o) {
  return only_snapkv(o.policy) && o.phase == KvPhase::kPrompt;
}

// What leaves an option without effect; null: nothing does.
const char* idle_because(const KvOptions& o, std::string_view flag) {
  if (o.by_budget() && flag == "ratio") return "--kv-budget, which says how many rows stay";
  if (o.by_budget() && flag == "cap") return "--kv-budget, which bounds all rows";
  if (o.pool == KvPool::kNone && flag == "kernel") return "--kv-pool none";
  if (prompt_only(o) && flag == "interval") return "--kv-phase prompt, which compresses once";
  if (!only_rkv(o.policy)) return nullptr;
  const bool of_importance =
      flag == "kernel" || flag == "pool" || flag == "softmax" || flag == "gqa-agg";
  if (o.lambda == 0.0 && of_importance) return "--kv-lambda 0, which leaves importance out";
  if (o.lambda == 1.0 && flag == "similarity") return "--kv-lambda 1, which leaves redundancy out";
  return nullptr;
}

// Options that are printed only where they say something.
bool unsaid(const KvOptions& o, std::string_view flag) {
  return idle_because(o, flag) != nullptr || (flag == "budget" && !o.by_budget()) ||
         (flag == "heads" && o.heads.empty()) || (flag == "sparsity" && o.sparsity.empty()) ||
         (flag == "heads-threshold" && o.heads_threshold.empty());
}

void validate_heads(const KvOptions& o) {
  if (o.heads.empty()) {
    const char* idle = !o.sparsity.empty()          ? "sparsity"
                       : !o.heads_threshold.empty() ? "heads-threshold"
                                                    : nullptr;
    if (idle) throw_usage("--kv-{} has no effect without --kv-heads", idle);
    return;
  }
  if (o.sparsity.empty() && o.heads_threshold.empty()) {
    throw_usage(
        "--kv-heads needs --kv-sparsity, the share of heads that is made constant (0 to 1), or "
        "--kv-heads-threshold, the least score of a full head");
  }
  if (!o.sparsity.empty() && !o.heads_threshold.empty()) {
    throw_usage("--kv-sparsity {} and --kv-heads-threshold {} both choose heads; give one of them",
                o.sparsity, o.heads_threshold);
  }
  random_heads_seed(o.heads);
  if (!o.sparsity.empty()) {
    full_head_count(1, o.sparsity);
  } else {
    parse_heads_threshold(o.heads_threshold);
  }
  // The text form has one "sink" and one "recent".
  const KvOptions published = KvOptions::of(o.policy);
  if (o.sink != published.sink || o.recent != published.recent) {
    throw_usage(
        "with --kv-heads, --kv-sink and --kv-recent are those of constant heads: --kv-policy {} "
        "keeps its own at {} and {}",
        o.policy_name(), published.sink, published.recent);
  }
}

void validate_ratio(const KvOptions& o) {
  if (!std::isfinite(o.ratio) || o.ratio < 1.0) {
    throw_usage("--kv-ratio {} is not allowed; it must be at least 1 (1 keeps every row)", o.ratio);
  }
  if (o.ratio > static_cast<double>(o.interval)) {
    throw_usage(
        "--kv-ratio {} would keep no row of an interval; with --kv-interval {} it is 1 to {}",
        o.ratio, o.interval, o.interval);
  }
  // With an open prompt its length decides: require_budget() knows it.
  const std::size_t kept = candidates_after(o, /*rounds=*/1);
  if (only_h2o(o.policy) && o.protect_prompt && newest_rows(o) > kept + o.window) {
    throw_usage(
        "--kv-recent {} leaves nothing to rank: beside the prompt the first compression keeps {} "
        "rows of the interval and a window of {}; it must be at most {}",
        o.recent, kept, o.window, kept + o.window);
  }
}

void validate_budget(const KvOptions& o) {
  if (o.cap != 0) {
    throw_usage("--kv-cap {} and --kv-budget {} both bound the rows; give one of them", o.cap,
                o.budget);
  }
  const std::size_t newest = newest_rows(o);
  if (o.budget < o.sink + newest) {
    throw_usage(
        "--kv-budget {} cannot hold what always stays, {} sinks and the {} newest rows; it must be "
        "at least {}",
        o.budget, o.sink, newest, o.sink + newest);
  }
}

void require_share(std::string_view flag, double value) {
  if (value >= 0.0 && value <= 1.0) return;
  throw_usage("--kv-{} {} is outside its range, 0 to 1", flag, value);
}

void validate_ranking(const KvOptions& o) {
  if (by_window(o.policy) && o.kernel % 2 == 0) {
    throw_usage("--kv-kernel {} is even; the width must be odd", o.kernel);
  }
  if (only_h2o(o.policy) && !(o.decay > 0.0 && o.decay <= 1.0)) {
    throw_usage("--kv-decay {} is not allowed; it is more than 0 and at most 1 (1 forgets nothing)",
                o.decay);
  }
  if (only_rkv(o.policy)) {
    require_share("lambda", o.lambda);
    require_share("similarity", o.similarity);
  }
  const bool first_rows_stay = o.sink > 0 || o.protect_prompt;
  if (by_place(o.policy) && o.positions == KvPositions::kCache && !first_rows_stay) {
    throw_usage(
        "--kv-positions cache has no effect where no first rows stay; give --kv-sink or protect "
        "the prompt");
  }
}

}  // namespace

KvOptions KvOptions::of(KvPolicy policy) {
  KvOptions o;
  o.policy = policy;
  switch (policy) {
    case KvPolicy::kFull:
    case KvPolicy::kRpc:
    case KvPolicy::kRandom:
      break;
    case KvPolicy::kStreaming:
      o.sink = 4;
      o.window = 0;
      break;
    case KvPolicy::kRecency:
      o.window = 0;
      break;
    case KvPolicy::kKnorm:
      o.granularity = KvGranularity::kKvHead;
      o.window = 0;
      break;
    case KvPolicy::kH2o:
      o.granularity = KvGranularity::kKvHead;
      o.aggregation = KvAggregation::kSum;
      o.window = 0;
      break;
    case KvPolicy::kTova:
      o.window = 0;
      break;
    case KvPolicy::kSnapKv:  // its adaptation to decoding, from the R-KV paper
      o.granularity = KvGranularity::kKvHead;
      o.pool = KvPool::kMax;
      o.window = 8;
      o.softmax = KvSoftmax::kFull;
      break;
    case KvPolicy::kRkv:
      o.granularity = KvGranularity::kKvHead;
      o.aggregation = KvAggregation::kMax;
      o.pool = KvPool::kMax;
      o.window = 8;
      break;
  }
  return o;
}

KvOptions KvOptions::parse(std::string_view policy,
                           const std::map<std::string, std::string>& options) {
  KvPolicy named{};
  read(Option{"policy", every_policy}, policy, named);
  KvOptions parsed = of(named);
  const std::map<std::string, std::string> given = with_dashes(options);
  // What "sink" and "recent" mean depends on it.
  if (const auto heads = given.find("heads"); heads != given.end()) {
    read(Option{"heads", every_policy}, heads->second, parsed.heads);
  }
  for (const auto& [name, text] : given) {
    bool known = false;
    std::string names;
    for_each_option(parsed, [&, &key = name, &word = text](const Option& option, auto& value) {
      const bool applies = option.has(parsed.policy);
      if (applies) names += (names.empty() ? "--kv-" : ", --kv-") + std::string(option.flag);
      if (option.flag != key) return;
      if (!applies) {
        const bool of_heads = option.flag == "sink" || option.flag == "recent";
        throw_usage("--kv-{} does not apply to --kv-policy {}{}", option.flag, policy,
                    of_heads ? " without --kv-heads" : "");
      }
      read(option, word, value);
      known = true;
    });
    if (!known) {
      throw_usage("--kv-{} is unknown; --kv-policy {} takes {}", name, policy, names);
    }
  }
  if (given.count("ratio") != 0 && parsed.by_budget()) {
    throw_usage("--kv-ratio {} and --kv-budget {} both say how many rows stay; give one of them",
                parsed.ratio, parsed.budget);
  }
  for (const auto& [name, text] : given) {
    if (const char* reason = idle_because(parsed, name)) {
      throw_usage("--kv-{} has no effect with {}", name, reason);
    }
  }
  parsed.validate();
  if (!parsed.sparsity.empty()) parsed.sparsity = plain_sparsity(parsed.sparsity);
  if (!parsed.heads_threshold.empty()) {
    parsed.heads_threshold = plain_heads_threshold(parsed.heads_threshold);
  }
  return parsed;
}

void KvOptions::validate() const {
  for_each_option(*this, [this](const Option& option, const auto& value) {
    if (option.has(policy)) require_range(option, value);
  });
  validate_heads(*this);
  if (!evicts()) return;
  if (by_budget()) {
    validate_budget(*this);
  } else {
    validate_ratio(*this);
  }
  if (prompt_only(*this) && !by_budget()) {
    throw_usage("--kv-phase prompt needs --kv-budget, the rows that the prompt is compressed to");
  }
  if (prompt_only(*this) && protect_prompt) {
    throw_usage(
        "--kv-phase prompt has nothing to compress while the prompt is protected; give "
        "--no-kv-protect-prompt");
  }
  validate_ranking(*this);
}

std::string KvOptions::policy_name() const { return print(policy); }

std::map<std::string, std::string> KvOptions::to_map() const {
  std::map<std::string, std::string> map;
  for_each_option(*this, [&](const Option& option, const auto& value) {
    if (option.has(policy) && !unsaid(*this, option.flag)) map.emplace(option.flag, print(value));
  });
  return map;
}

}  // namespace laconic
