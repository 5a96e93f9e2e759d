// SPDX-License-Identifier: Apache-2.0
#include "model/rope_hf.h"

#include <cmath>
#include <string>

namespace laconic {
namespace {

using Scaling = RopeConfig::Scaling;

double number(const Json& object, const char* key, double otherwise, std::string_view where) {
  return json_optional<double>(object, key, where).value_or(otherwise);
}

// The object of that name; an empty one when the file has none.
Json spelled(const Json& config, const char* key, std::string_view where) {
  const auto entry = config.find(key);
  if (entry == config.end() || entry->is_null()) return Json::object();
  if (!entry->is_object()) throw_input("{}: \"{}\" must be an object", where, key);
  return *entry;
}

Scaling scaling_kind(const Json& object, std::string_view where) {
  auto name = json_optional<std::string>(object, "rope_type", where);
  if (!name) name = json_optional<std::string>(object, "type", where);
  if (!name) {
    if (json_optional<double>(object, "factor", where)) {
      throw_input("{}: the RoPE scaling has a factor but no \"rope_type\"", where);
    }
    return Scaling::kNone;
  }
  if (*name == "default" || *name == "none") return Scaling::kNone;
  if (*name == "linear") return Scaling::kLinear;
  if (*name == "llama3") return Scaling::kLlama3;
  if (*name == "yarn") return Scaling::kYarn;
  throw_input("{}: RoPE scaling \"{}\" is not supported (default, linear, llama3 and yarn are)",
              where, *name);
}

// Weight of yarn's magnitude: 1 + 0.1 m ln(factor), as in the paper's section 3.4.
double yarn_magnitude(double factor, double weight) {
  return factor <= 1.0 ? 1.0 : 0.1 * weight * std::log(factor) + 1.0;
}

void read_yarn(const Json& object, RopeConfig& rope, std::string_view where) {
  rope.beta_fast = number(object, "beta_fast", 32.0, where);
  rope.beta_slow = number(object, "beta_slow", 1.0, where);
  if (!json_optional<bool>(object, "truncate", where).value_or(true)) {
    throw_input("{}: yarn with \"truncate\": false is not supported", where);
  }
  if (const auto given = json_optional<double>(object, "attention_factor", where)) {
    rope.attention_factor = *given;
    return;
  }
  const double part = number(object, "mscale", 0.0, where);
  const double all = number(object, "mscale_all_dim", 0.0, where);
  if (part != 0.0 && all != 0.0) {
    rope.attention_factor = yarn_magnitude(rope.factor, part) / yarn_magnitude(rope.factor, all);
  }
}

// One spelling. `theta` counts where the object has none of its own.
RopeConfig read_spelling(const Json& object, double theta, std::size_t context,
                         std::string_view where) {
  RopeConfig rope;
  rope.theta = number(object, "rope_theta", theta, where);
  if (const double part = number(object, "partial_rotary_factor", 1.0, where); part != 1.0) {
    throw_input("{}: \"partial_rotary_factor\" is {}, only 1 is supported", where, part);
  }
  rope.scaling = scaling_kind(object, where);
  if (rope.scaling == Scaling::kNone) return rope;

  const auto factor = json_optional<double>(object, "factor", where);
  const auto original = json_optional<double>(object, "original_max_position_embeddings", where);
  if (!factor && (rope.scaling != Scaling::kYarn || !original || *original <= 0.0)) {
    throw_input("{}: the RoPE scaling has no \"factor\"", where);
  }
  // A yarn config without a factor means the ratio of the two contexts.
  rope.factor = factor ? *factor : static_cast<double>(context) / *original;
  if (rope.scaling == Scaling::kLlama3) {
    if (!original) {
      throw_input("{}: llama3 RoPE scaling has no \"original_max_position_embeddings\"", where);
    }
    rope.original_context = *original;
    rope.low_freq_factor = json_required<double>(object, "low_freq_factor", where);
    rope.high_freq_factor = json_required<double>(object, "high_freq_factor", where);
  }
  if (rope.scaling == Scaling::kYarn) {
    rope.original_context = original.value_or(static_cast<double>(context));
    read_yarn(object, rope, where);
  }
  return rope;
}

}  // namespace

RopeConfig rope_from_hf(const Json& config, std::size_t context, std::string_view where) {
  if (const double part = number(config, "partial_rotary_factor", 1.0, where); part != 1.0) {
    throw_input("{}: \"partial_rotary_factor\" is {}, only 1 is supported", where, part);
  }
  const double theta = number(config, "rope_theta", 10000.0, where);
  const Json fresh = spelled(config, "rope_parameters", where);
  const Json old = spelled(config, "rope_scaling", where);
  const RopeConfig rope = read_spelling(fresh.empty() ? old : fresh, theta, context, where);
  // Some versions of transformers write both; only one of them then carries the base.
  if (!fresh.empty() && !old.empty() && read_spelling(old, rope.theta, context, where) != rope) {
    throw_input("{}: \"rope_parameters\" and \"rope_scaling\" say different things", where);
  }
  return rope;
}

Json rope_scaling_to_hf(const RopeConfig& rope) {
  if (!rope.frequency_divisors.empty()) {
    throw_input("RoPE frequency divisors of a GGUF have no form in config.json");
  }
  switch (rope.scaling) {
    case Scaling::kNone:
      return nullptr;
    case Scaling::kLinear:
      return {{"rope_type", "linear"}, {"factor", rope.factor}};
    case Scaling::kLlama3:
      return {{"rope_type", "llama3"},
              {"factor", rope.factor},
              {"low_freq_factor", rope.low_freq_factor},
              {"high_freq_factor", rope.high_freq_factor},
              {"original_max_position_embeddings", rope.original_context}};
    case Scaling::kYarn:
      break;
  }
  Json yarn = {{"rope_type", "yarn"},
               {"factor", rope.factor},
               {"original_max_position_embeddings", rope.original_context},
               {"beta_fast", rope.beta_fast},
               {"beta_slow", rope.beta_slow}};
  if (rope.attention_factor > 0.0) yarn["attention_factor"] = rope.attention_factor;
  return yarn;
}

}  // namespace laconic
