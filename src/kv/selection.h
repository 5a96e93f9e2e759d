// SPDX-License-Identifier: Apache-2.0
// What stays of a layer's rows at a trigger, whatever the policy. Regions by cache index:
//   [0, first_candidate)             protected (prompt, sinks)
//   [first_candidate, rows - window) candidates
//   [rows - window, rows)            protected (the newest rows)
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace laconic {

struct Regions {
  std::size_t rows = 0, first_candidate = 0, window = 0;

  std::size_t window_begin() const { return rows - window; }
  // PRECONDITION: the protected rows do not overlap.
  std::size_t candidates() const { return window_begin() - first_candidate; }
};

struct Selection {
  // Absolute cache rows that stay, ascending, protected ones included. [kv_heads][kept]
  std::vector<std::vector<std::int32_t>> kept;
  // What the candidates were ranked by, of policies that rank. [1 or kv_heads][candidates]
  std::vector<std::vector<float>> scores;
};

// One list of a selection: the protected rows and the `chosen` candidates (counted from the first
// candidate, ascending).
std::vector<std::int32_t> keep_list(const Regions& regions, std::span<const std::int32_t> chosen);

// How many rows of a keep-list, its first ones, stay where they are.
std::size_t rows_in_place(std::span<const std::int32_t> kept);

// Every list of candidate scores becomes a keep-list of its `keep` largest; a single list serves
// all KV heads.
Selection select_top(const Regions& regions, std::vector<std::vector<float>> scores,
                     std::size_t keep, std::size_t kv_heads);

}  // namespace laconic
