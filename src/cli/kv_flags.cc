// SPDX-License-Identifier: Apache-2.0
#include "cli/kv_flags.h"

#include <CLI/CLI.hpp>
#include <array>

namespace laconic::cli {
namespace {

struct Flag {
  const char* name;
  const char* value;
  const char* help;
};

constexpr std::array<Flag, 12> kFlags = {{
    {"type", "f16|bf16|f32", "element type of cache rows (f16)"},
    {"interval", "P", "rpc, random: generated tokens between compressions (1024)"},
    {"window", "R", "rpc, random: most recent rows, always kept; rpc: their queries select (32)"},
    {"ratio", "C", "rpc, random: of each interval P/C rows stay (4)"},
    {"kernel", "K", "rpc: odd width of the pooling over neighbours (7)"},
    {"pool", "avg|max|none", "rpc: pooling of the scores (avg)"},
    {"granularity", "layer|kv_head", "rpc, random: one keep-list per layer or per KV head (layer)"},
    {"selector", "exact|reference|last", "rpc: which queries select (exact)"},
    {"softmax", "candidates|full", "rpc: rows that the weights are normalised over (candidates)"},
    {"cap", "N", "rpc, random: most candidate rows kept; 0: no cap (0)"},
    {"protect-prompt", "", "rpc, random: prompt rows always stay (the default)"},
    {"seed", "N", "random: fixes which rows stay (0)"},
}};

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
                 "which cache rows stay: full, rpc, random (full)")
      ->type_name("NAME")
      ->group(kGroup);
  for (const Flag& flag : kFlags) {
    const std::string name = flag.name;
    if (set == KvFlagSet::kReplay && name == "type") continue;
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
        "rpc, random: prompt rows compete like the others");
    on->group(kGroup)->excludes(off);
    off->group(kGroup);
  }
}

KvOptions KvFlags::options() const { return KvOptions::parse(policy_.value_or("full"), given_); }

bool KvFlags::given() const { return policy_ || !given_.empty(); }

Json kv_options_json(const KvOptions& options) {
  Json out = Json::object();
  for (const auto& [name, value] : options.to_map()) out[name] = typed(value);
  return out;
}

}  // namespace laconic::cli
