// SPDX-License-Identifier: Apache-2.0
// The null that every ranking is measured against: which candidates stay is drawn, each with the
// same chance, and nothing of keys and queries is looked at. With the prompt kept this is a strong
// rival of policies that score (arXiv 2609.03430).
//
// A draw is fixed by (seed, sequence, layer, KV head, round), never by call order: the same for any
// batch, number of threads and order of layers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "kv/selection.h"
#include "laconic/kv_options.h"

namespace laconic {

// One layer of one sequence at one trigger.
struct RandomPlace {
  std::uint64_t sequence = 0;  // tells sequences apart
  std::size_t layer = 0;
  std::size_t round = 0;  // compressions already done
};

// `count` of the indices 0 to size - 1, ascending; every set of them is equally likely.
// PRECONDITION: count <= size.
std::vector<std::int32_t> draw_indices(std::size_t size, std::size_t count, std::uint64_t key);

// `keep` candidates stay: the same ones in all KV heads at layer granularity, else each head draws,
// whichever others of the layer are asked about.
Selection random_select(const Regions& regions, std::size_t keep,
                        std::span<const std::size_t> head_ids /* [kv_heads], within the layer */,
                        const RandomPlace& place, const KvOptions& options);

}  // namespace laconic
