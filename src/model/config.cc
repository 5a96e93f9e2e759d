// SPDX-License-Identifier: Apache-2.0
#include "model/config.h"

#include <cmath>

#include "base/error.h"
#include "model/config_check.h"

namespace laconic {
namespace {

void check_number(double value, double least, double most, std::string_view field,
                  std::string_view where) {
  // Written so that NaN fails too.
  if (!(value >= least && value <= most)) {
    throw_input("{}: {} is {}, but must lie between {} and {}", where, field, value, least, most);
  }
}

void check_rope(const RopeConfig& rope, std::size_t head_dim, std::string_view where) {
  check_number(rope.theta, 1.0 + 1e-9, 1e15, "RoPE theta", where);
  if (rope.scaling != RopeConfig::Scaling::kNone) {
    check_number(rope.factor, 1e-3, 1e6, "the RoPE scaling factor", where);
  }
  if (rope.scaling == RopeConfig::Scaling::kLlama3 || rope.scaling == RopeConfig::Scaling::kYarn) {
    check_number(rope.original_context, 1, static_cast<double>(kContextRange.most),
                 "the original context of the RoPE scaling", where);
  }
  if (rope.scaling == RopeConfig::Scaling::kLlama3) {
    check_number(rope.low_freq_factor, 1e-3, 1e6, "low_freq_factor", where);
    check_number(rope.high_freq_factor, 1e-3, 1e6, "high_freq_factor", where);
    if (rope.high_freq_factor <= rope.low_freq_factor) {
      throw_input("{}: high_freq_factor ({}) must be larger than low_freq_factor ({})", where,
                  rope.high_freq_factor, rope.low_freq_factor);
    }
  }
  if (rope.scaling == RopeConfig::Scaling::kYarn) {
    check_number(rope.beta_fast, 1e-3, 1e6, "yarn's beta_fast", where);
    check_number(rope.beta_slow, 1e-3, 1e6, "yarn's beta_slow", where);
    check_number(rope.attention_factor, 0.0, 1e3, "yarn's attention factor", where);
  }
  if (!rope.frequency_divisors.empty() && rope.frequency_divisors.size() != head_dim / 2) {
    throw_input("{}: {} RoPE frequency divisors, but head_dim {} needs {}", where,
                rope.frequency_divisors.size(), head_dim, head_dim / 2);
  }
  for (const float divisor : rope.frequency_divisors) {
    check_number(divisor, 1e-6, 1e9, "a RoPE frequency divisor", where);
  }
}

}  // namespace

std::string_view architecture_name(Architecture architecture) {
  switch (architecture) {
    case Architecture::kLlama:
      return "llama";
    case Architecture::kQwen2:
      return "qwen2";
    case Architecture::kQwen3:
      return "qwen3";
  }
  return "?";
}

Architecture architecture_from_name(std::string_view name, std::string_view where) {
  for (const Architecture one :
       {Architecture::kLlama, Architecture::kQwen2, Architecture::kQwen3}) {
    if (architecture_name(one) == name) return one;
  }
  throw_input("{}: models of type \"{}\" are not supported (llama, qwen2 and qwen3 are)", where,
              name);
}

std::size_t ModelConfig::kv_bytes_per_token(DType type) const {
  return 2 * layers * kv_heads * row_bytes(type, head_dim);
}

std::size_t in_range(std::size_t value, SizeRange range, std::string_view field,
                     std::string_view where) {
  if (value < range.least || value > range.most) {
    throw_input("{}: {} is {}, but must lie between {} and {}", where, field, value, range.least,
                range.most);
  }
  return value;
}

std::size_t default_head_dim(std::size_t hidden, std::size_t heads, std::string_view where) {
  if (hidden % heads != 0) {
    throw_input("{}: the hidden size {} is no multiple of the {} heads, and no head_dim is given",
                where, hidden, heads);
  }
  return hidden / heads;
}

std::size_t stretched_context(const RopeConfig& rope, std::size_t context, std::string_view where) {
  if (rope.scaling != RopeConfig::Scaling::kYarn) return context;
  const double stretched = rope.factor * rope.original_context;
  if (!(stretched > static_cast<double>(context))) return context;
  check_number(stretched, 1.0, static_cast<double>(kContextRange.most),
               "yarn's factor times its original context", where);
  return static_cast<std::size_t>(stretched);
}

void check_config(const ModelConfig& config, std::string_view where) {
  in_range(config.head_dim, kHeadDimRange, "head_dim", where);
  if (config.head_dim % 2 != 0) {
    throw_input("{}: head_dim is {}, but RoPE turns pairs and needs an even number", where,
                config.head_dim);
  }
  if (config.heads % config.kv_heads != 0) {
    throw_input("{}: {} heads cannot share {} KV heads evenly", where, config.heads,
                config.kv_heads);
  }
  check_number(config.norm_eps, 0.0, 1.0, "the epsilon of the norms", where);
  check_rope(config.rope, config.head_dim, where);
}

}  // namespace laconic
