// SPDX-License-Identifier: Apache-2.0
#include "kv/random.h"

#include <cassert>

#include "base/mix.h"

namespace laconic {

// Selection sampling (Knuth, The Art of Computer Programming 2, 3.4.2, algorithm S): an index is
// taken with the chance (still wanted) / (still to come), which is 1 when all that come are wanted.
std::vector<std::int32_t> draw_indices(std::size_t size, std::size_t count, std::uint64_t key) {
  assert(count <= size);
  std::vector<std::int32_t> drawn;
  drawn.reserve(count);
  for (std::size_t i = 0; drawn.size() < count; ++i) {
    // Positions are 32-bit, so the remainder of 64 bits favours no value by more than 2^-33.
    const std::uint64_t bits = mix_bits(key + (i + 1) * kMixStep);
    if (bits % (size - i) < count - drawn.size()) drawn.push_back(static_cast<std::int32_t>(i));
  }
  return drawn;
}

Selection random_select(const Regions& regions, std::size_t keep, std::size_t kv_heads,
                        const RandomPlace& place, const KvOptions& options) {
  const std::size_t lists = options.granularity == KvGranularity::kLayer ? 1 : kv_heads;
  Selection selection;
  for (std::size_t list = 0; list < lists; ++list) {
    const std::uint64_t key =
        mix_key({options.seed, place.sequence, place.layer, list, place.round});
    selection.kept.push_back(keep_list(regions, draw_indices(regions.candidates(), keep, key)));
  }
  selection.kept.resize(kv_heads, selection.kept.front());
  return selection;
}

}  // namespace laconic
