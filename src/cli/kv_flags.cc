// SPDX-License-Identifier: Apache-2.0
#include "cli/kv_flags.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <string_view>

namespace laconic::cli {
namespace {

struct Flag {
  const char* name;
  const char* value;
  const char* help;
};

constexpr std::array<Flag, 24> kFlags = {{
    {"type", "f16|bf16|f32|q8_0", "element type of cache rows (f16)"},
    {"interval", "P", "all but full: generated tokens between compressions (1024)"},
    {"window", "R",
     "all but full: most recent rows, always kept; rpc, snapkv, rkv: their queries select (rpc, "
     "random: 32, snapkv, rkv: 8, others: 0)"},
    {"ratio", "C", "all but full: of each interval P/C rows stay (4)"},
    {"cap", "N", "all but full: by ratio, most candidate rows kept; 0: no cap (0)"},
    {"budget", "N",
     "all but full: instead of a ratio, rows of a KV head at rest, all counted; 0: by ratio (0)"},
    {"sink", "N",
     "all but full: first rows, always kept (streaming: 4, others: 0); with --kv-heads: first rows "
     "of constant heads (16)"},
    {"protect-prompt", "", "all but full: prompt rows always stay (the default)"},
    {"granularity", "layer|kv_head",
     "rpc, random, knorm, h2o, tova, snapkv, rkv: one keep-list per layer or per KV head (rpc, "
     "random, tova: layer, others: kv_head)"},
    {"phase", "all|prompt",
     "snapkv: prompt: it is compressed once, at its end, and the answer stays whole (all)"},
    {"gqa-agg", "mean|max|sum",
     "rpc, h2o, tova, snapkv, rkv: over the query heads of a keep-list (h2o: sum, rkv: max, "
     "others: mean)"},
    {"kernel", "K", "rpc, snapkv, rkv: odd width of the pooling over neighbours (7)"},
    {"pool", "avg|max|none", "rpc, snapkv, rkv: pooling of the scores (rpc: avg, others: max)"},
    {"selector", "exact|reference|last", "rpc: which queries select (exact)"},
    {"softmax", "candidates|full",
     "rpc, snapkv, rkv: rows that the weights are normalised over (snapkv: full, others: "
     "candidates)"},
    {"recent", "N",
     "h2o: newest rows kept beside the heavy ones; 0: half of what stays (0); with --kv-heads: "
     "newest rows of constant heads (64)"},
    {"decay", "D", "h2o: factor of older sums at each token, above 0 and at most 1 (1)"},
    {"lambda", "L", "rkv: weight of importance against redundancy, 0 to 1 (0.1)"},
    {"similarity", "S", "rkv: cosine above which two keys resemble each other, 0 to 1 (0.5)"},
    {"positions", "absolute|cache",
     "streaming, recency: rows seen at their place in the text or in the cache (absolute)"},
    {"seed", "N", "random: fixes which rows stay (0)"},
    {"heads", "FILE|random:SEED",
     "scores of all KV heads: the best keep what the policy leaves them, the others a constant "
     "number of rows"},
    {"sparsity", "S", "with --kv-heads: share of heads made constant, 0 to 1"},
    {"heads-threshold", "T", "with --kv-heads: least score of a full head, instead of a sparsity"},
}};

// What has no effect on which of given rows stay, or needs a model.
bool of_a_cache(std::string_view name) {
  constexpr std::array<std::string_view, 6> kNames = {"type",  "phase",    "positions",
                                                      "heads", "sparsity", "heads-threshold"};
  return std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

std::string spellings(const std::string& prefix, const std::string& name, KvFlagSet set) {
  std::string out = prefix + "kv-" + name;
  if (set == KvFlagSet::kReplay) out += "," + prefix + name;
  return out;
}

// Text as the JSON value that it spells.
Json typed(const std::string& text) {
  Json value = Json::parse(text, nullptr, false);
  return value.is_number() || value.is_boolean() ? value : Json(text);
}

}  // namespace

void KvFlags::declare(CLI::App& app, KvFlagSet set) {
  constexpr const char* kGroup = "KV cache";
  app.add_option(spellings("--", "policy", set), policy_,
                 "which cache rows stay: full, rpc, random, streaming, recency, knorm, h2o, tova, "
                 "snapkv, rkv (full)")
      ->type_name("NAME")
      ->group(kGroup);
  for (const Flag& flag : kFlags) {
    const std::string name = flag.name;
    if (set == KvFlagSet::kReplay && of_a_cache(name)) continue;
    const auto keep = [this, name](const std::string& value) { given_[name] = value; };
    if (flag.value[0] != '\0') {
      app.add_option_function<std::string>(spellings("--", name, set), keep, flag.help)
          ->type_name(flag.value)
          ->group(kGroup);
      continue;
    }
    auto* on = app.add_flag_callback(
        spellings("--", name, set), [keep] { keep("true"); }, flag.help);
    auto* off = app.add_flag_callback(
        spellings("--no-", name, set), [keep] { keep("false"); },
        "all but full: prompt rows compete like the others");
    on->group(kGroup)->excludes(off);
    off->group(kGroup);
  }
}

KvOptions KvFlags::options() const { return KvOptions::parse(policy_.value_or("full"), given_); }

bool KvFlags::given() const { return policy_ || !given_.empty(); }

Json kv_options_json(const KvOptions& options) {
  Json out = Json::object();
  for (const auto& [name, value] : options.to_map()) {
    out[name] = name == "heads" ? Json(value) : typed(value);
  }
  return out;
}

}  // namespace laconic::cli
