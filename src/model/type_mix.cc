// SPDX-License-Identifier: Apache-2.0
#include "model/type_mix.h"

#include <charconv>
#include <optional>

#include "model/checkpoint.h"

namespace laconic {
namespace {

// N of "model.layers.N.rest".
std::optional<std::size_t> layer_of(std::string_view name) {
  constexpr std::string_view kPrefix = "model.layers.";
  if (!name.starts_with(kPrefix)) return std::nullopt;
  std::size_t layer = 0;
  const char* end = name.data() + name.size();
  if (std::from_chars(name.data() + kPrefix.size(), end, layer).ec != std::errc()) {
    return std::nullopt;
  }
  return layer;
}

bool is_costly_layer(std::size_t layer, std::size_t layers) {
  const std::size_t eighth = layers / 8;
  if (layer < eighth || layer >= 7 * layers / 8) return true;
  return (layer - eighth) % 3 == 2;
}

}  // namespace

TypeMix TypeMix::q4_k_m() {
  TypeMix mix(DType::kQ4_K);
  mix.more_bits_ = true;
  return mix;
}

DType TypeMix::of(const ModelConfig& config, std::string_view name) const {
  if (!more_bits_) return most_;
  const std::string_view head = config.tied_head ? kEmbeddingName : "lm_head.weight";
  if (name == head) return DType::kQ6_K;
  if (!name.ends_with(".v_proj.weight") && !name.ends_with(".down_proj.weight")) return most_;
  const std::optional<std::size_t> layer = layer_of(name);
  return layer && is_costly_layer(*layer, config.layers) ? DType::kQ6_K : most_;
}

std::uint64_t TypeMix::file_type() const {
  switch (most_) {
    case DType::kF32:
      return 0;
    case DType::kF16:
      return 1;
    case DType::kQ4_0:
      return 2;
    case DType::kQ8_0:
      return 7;
    case DType::kQ4_K:
      return more_bits_ ? 15 : 14;
    case DType::kQ5_K:
      return 16;
    case DType::kQ6_K:
      return 18;
    case DType::kBF16:
      return 32;
  }
  return 0;
}

std::string_view TypeMix::name() const { return more_bits_ ? "q4_k_m" : dtype_name(most_); }

}  // namespace laconic
