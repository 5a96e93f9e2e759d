// SPDX-License-Identifier: Apache-2.0
#include "eval/settings.h"

#include <fmt/format.h>

#include <optional>

#include "base/fnv.h"
#include "engine/head_choice.h"
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

std::optional<HeadSet> full_heads(const Model& model, const KvOptions& options) {
  return choose_heads(options, model.impl().weights.config.kv_shape());
}

// "72 of 144, 0123456789abcdef".
std::string heads_text(const HeadSet& heads) {
  Fnv1a hash;
  hash.add(fmt::format("{} {};", heads.layers(), heads.kv_heads()));
  for (std::size_t layer = 0; layer < heads.layers(); ++layer) {
    for (std::size_t head = 0; head < heads.kv_heads(); ++head) {
      hash.add(heads.is_full(layer, head) ? "1" : "0");
    }
  }
  return fmt::format("{} of {}, {:016x}", heads.count(), heads.layers() * heads.kv_heads(),
                     hash.value());
}

}  // namespace

Json arm_settings(const Model& model, const std::string& fingerprint, const ArmOptions& options) {
  const std::size_t context = options.session.context;
  Json out;
  out["model"] = fingerprint;
  out["ctx-size"] = context == 0 ? model.info().context : context;
  out["kv-policy"] = options.session.kv.policy_name();
  for (const auto& [name, value] : options.session.kv.to_map()) out["kv-" + name] = value;
  // What stands in a file can change under its name; what is drawn cannot.
  if (!random_heads_seed(options.session.kv.heads)) {
    const auto heads = full_heads(model, options.session.kv);
    if (heads) out["kv-full-heads"] = heads_text(*heads);
  }
  add_sampling(out, options.generate.sampling);
  add_limits(out, options.generate);
  if (!options.generate.ignore_eos) out["eos"] = end_ids(model);
  return out;
}

Json full_heads_json(const Model& model, const KvOptions& options) {
  const std::optional<HeadSet> heads = full_heads(model, options);
  if (!heads) return nullptr;
  Json out = Json::array();
  for (std::size_t layer = 0; layer < heads->layers(); ++layer) out.push_back(heads->full(layer));
  return out;
}

bool is_cache_setting(std::string_view name) { return name.substr(0, 3) == "kv-"; }

}  // namespace laconic
