// SPDX-License-Identifier: Apache-2.0
// Which KV heads keep what the policy leaves them (full) and which a constant number of rows: the
// choice from one score per head (RLKV, arXiv 2510.08525; specs/rlkv.md section 10).
//
// Scores are only a ranking, over all layers at once. The choice is exact and the same everywhere:
// the sparsity is a decimal text and stays one, and of equal scores the lower layer, then the lower
// head, comes first. (The published code breaks ties by noise, unseeded where it serves.)
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "laconic/kv_options.h"

namespace laconic {

struct HeadScores {
  std::size_t layers = 0, kv_heads = 0;
  std::vector<double> scores;  // [layers][kv_heads], finite

  // What ranks: the score within [0, 1].
  double clipped(std::size_t layer, std::size_t kv_head) const;
};

class HeadSet {
 public:
  HeadSet() = default;                                // of no layers
  HeadSet(std::size_t layers, std::size_t kv_heads);  // with no full head

  void add(std::size_t layer, std::size_t kv_head);  // makes that head a full one

  std::size_t layers() const { return layers_; }
  std::size_t kv_heads() const { return kv_heads_; }
  bool is_full(std::size_t layer, std::size_t kv_head) const {
    return full_[layer * kv_heads_ + kv_head];
  }
  std::vector<std::size_t> full(std::size_t layer) const;  // the layer's full heads, ascending
  std::size_t count() const;                               // full heads of all layers

  bool operator==(const HeadSet&) const = default;

 private:
  std::size_t layers_ = 0, kv_heads_ = 0;
  std::vector<bool> full_;  // [layers][kv_heads]
};

// How many of `heads` heads stay full at sparsity s: heads - ceil(s (heads - 1)), and none at s
// = 1. Error(kUsage) when `sparsity` is not a decimal number from 0 to 1 such as "0.5".
std::size_t full_head_count(std::size_t heads, std::string_view sparsity);

// The full_head_count() best heads.
HeadSet choose_full_heads(const HeadScores& scores, std::string_view sparsity);

// The heads whose clipped score is at least `threshold`.
HeadSet full_heads_above(const HeadScores& scores, double threshold);

// The threshold that a text spells. Error(kUsage) when it is not a finite number.
double parse_heads_threshold(std::string_view text);

// The shortest text of the same sparsity or threshold, a JSON number: 0.5 of ".50". Error(kUsage)
// as above.
std::string plain_sparsity(std::string_view text);
std::string plain_heads_threshold(std::string_view text);

// By the sparsity or the threshold of `options`. PRECONDITION: exactly one of them is given.
HeadSet full_heads_of(const HeadScores& scores, const KvOptions& options);

// The null of every ranking: scores that are drawn, uniform in [0, 1). A score is fixed by seed,
// layer and head.
HeadScores random_head_scores(std::size_t layers, std::size_t kv_heads, std::uint64_t seed);

// The seed of "random:SEED"; nothing where `heads` names a file. Error(kUsage) for "random:" before
// anything but a seed.
std::optional<std::uint64_t> random_heads_seed(std::string_view heads);

// Error(kInput), with both shapes, when the scores `where` are not those of such a model.
void require_shape(const HeadScores& scores, std::size_t layers, std::size_t kv_heads,
                   std::string_view where = "the table of heads");

}  // namespace laconic
