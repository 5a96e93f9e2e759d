// SPDX-License-Identifier: Apache-2.0
#include "eval/settings.h"

#include "engine/model_impl.h"

namespace laconic {
namespace {

void add_sampling(Json& out, const SamplingOptions& sampling) {
  out["stream"] = sampling.stream;  // a policy may draw too
  out["temp"] = sampling.temperature;
  out["repeat-penalty"] = sampling.repeat_penalty;
  if (sampling.repeat_penalty != 1) out["repeat-last-n"] = sampling.repeat_window;
  if (sampling.temperature == 0) return;
  out["top-k"] = sampling.top_k;
  out["top-p"] = sampling.top_p;
  out["min-p"] = sampling.min_p;
  out["seed"] = sampling.seed;
}

void add_limits(Json& out, const GenerateOptions& generate) {
  out["max-tokens"] = generate.max_tokens;
  out["stop"] = generate.stop;
  out["stop-token"] = generate.stop_tokens;
  out["ignore-eos"] = generate.ignore_eos;
  out["stop-on-loop"] = generate.stop_on_loop;
  out["reasoning-budget"] = generate.reasoning_budget;
}

// The ids at which the model ends an answer: its configuration's and its tokenizer's.
std::vector<std::int32_t> end_ids(const Model& model) {
  std::vector<std::int32_t> out;
  const auto vocab = static_cast<std::int32_t>(model.info().vocab);
  for (std::int32_t id = 0; id < vocab; ++id) {
    if (model.impl().is_end(id)) out.push_back(id);
  }
  return out;
}

}  // namespace

Json arm_settings(const Model& model, const std::string& fingerprint, const ArmOptions& options) {
  const std::size_t context = options.session.context;
  Json out;
  out["model"] = fingerprint;
  out["ctx-size"] = context == 0 ? model.info().context : context;
  out["kv-policy"] = options.session.kv.policy_name();
  for (const auto& [name, value] : options.session.kv.to_map()) out["kv-" + name] = value;
  add_sampling(out, options.generate.sampling);
  add_limits(out, options.generate);
  if (!options.generate.ignore_eos) out["eos"] = end_ids(model);
  return out;
}

bool is_cache_setting(std::string_view name) { return name.substr(0, 3) == "kv-"; }

}  // namespace laconic
