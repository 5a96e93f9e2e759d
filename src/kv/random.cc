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

Selection random_select(const Regions& regions, std::size_t keep,
                        std::span<const std::size_t> head_ids, const RandomPlace& place,
                        const KvOptions& options) {
  const auto draw = [&](std::size_t head) {
    const std::uint64_t key =
        mix_key({options.seed, place.sequence, place.layer, head, place.round});
    return keep_list(regions, draw_indices(regions.candidates(), keep, key));
  };
  Selection selection;
  if (options.granularity == KvGranularity::kLayer) {
    selection.kept.assign(head_ids.size(), draw(0));
  } else {
    for (const std::size_t head : head_ids) selection.kept.push_back(draw(head));
  }
  return selection;
}

}  // namespace laconic
