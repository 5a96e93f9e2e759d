// SPDX-License-Identifier: Apache-2.0
// What every format's config reader shares: ranges of sizes and the checks between fields.
//
// The upper ends are far above any published model and low enough that every product of two or
// three of them fits in 64 bits, so that later code may multiply without looking.
#pragma once

#include <cstddef>
#include <string_view>

#include "model/config.h"

namespace laconic {

struct SizeRange {
  std::size_t least, most;
};
inline constexpr SizeRange kLayerRange{1, 1024};
inline constexpr SizeRange kHiddenRange{1, std::size_t{1} << 17};
inline constexpr SizeRange kIntermediateRange{1, std::size_t{1} << 20};
inline constexpr SizeRange kVocabRange{1, std::size_t{1} << 22};
inline constexpr SizeRange kHeadRange{1, 4096};
inline constexpr SizeRange kHeadDimRange{2, 4096};
inline constexpr SizeRange kContextRange{1, std::size_t{1} << 28};

// `value` when it lies in the range, or Error(kInput) naming `field` as the file spells it.
std::size_t in_range(std::size_t value, SizeRange range, std::string_view field,
                     std::string_view where);

// hidden / heads for configs that do not say head_dim; Error(kInput) when it does not divide.
std::size_t default_head_dim(std::size_t hidden, std::size_t heads, std::string_view where);

// How far texts may reach: yarn stretches its original context by its factor, which published
// configs for long texts do not write into their own context field. Other scalings say nothing.
std::size_t stretched_context(const RopeConfig& rope, std::size_t context, std::string_view where);

// Relations between fields: grouped heads, even head_dim, epsilon, RoPE numbers.
void check_config(const ModelConfig& config, std::string_view where);

// The architecture of that name, or Error(kInput) with the supported ones.
Architecture architecture_from_name(std::string_view name, std::string_view where);

}  // namespace laconic
