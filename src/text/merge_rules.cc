// SPDX-License-Identifier: Apache-2.0
#include "text/merge_rules.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>

#include "base/error.h"

namespace laconic {
namespace {

// Every cut of a token is tried, so the work grows with the square of its length. Published
// vocabularies stay below 100 bytes.
constexpr std::size_t kMaxScoredBytes = 1024;

// [vocab] dense ranks: 0 for the highest score, equal scores share a rank.
std::vector<std::uint32_t> ranks_of_scores(const std::vector<float>& scores) {
  std::vector<float> descending = scores;
  std::sort(descending.begin(), descending.end(), std::greater<>());
  descending.erase(std::unique(descending.begin(), descending.end()), descending.end());
  std::vector<std::uint32_t> ranks;
  ranks.reserve(scores.size());
  for (const float score : scores) {
    const auto place =
        std::lower_bound(descending.begin(), descending.end(), score, std::greater<>());
    ranks.push_back(static_cast<std::uint32_t>(place - descending.begin()));
  }
  return ranks;
}

}  // namespace

MergeTable merges_by_rank(const TokenizerData& data, const Vocabulary& vocabulary) {
  MergeTable table(data.merges.size());
  for (std::size_t rank = 0; rank < data.merges.size(); ++rank) {
    const auto& [left, right] = data.merges[rank];
    std::string joined = spelled_bytes(data.kind, left);
    const std::size_t cut = joined.size();
    joined += spelled_bytes(data.kind, right);
    const std::string_view bytes = joined;
    const TokenId left_id = vocabulary.find(bytes.substr(0, cut));
    const TokenId right_id = vocabulary.find(bytes.substr(cut));
    const TokenId merged = vocabulary.find(bytes);
    if (left_id < 0 || right_id < 0 || merged < 0) {
      throw_input(
          "tokenizer: merge {} (\"{}\" and \"{}\") needs \"{}\", which the vocabulary lacks", rank,
          left, right,
          left_id < 0    ? left
          : right_id < 0 ? right
                         : left + right);
    }
    table.add(left_id, right_id, {static_cast<std::uint32_t>(rank), merged});
  }
  return table;
}

MergeTable merges_by_score(const TokenizerData& data, const Vocabulary& vocabulary) {
  for (std::size_t id = 0; id < data.scores.size(); ++id) {
    if (std::isnan(data.scores[id])) throw_input("tokenizer: the score of token {} is NaN", id);
  }
  const std::vector<std::uint32_t> ranks = ranks_of_scores(data.scores);
  MergeTable table(4 * data.tokens.size());
  for (std::size_t id = 0; id < data.tokens.size(); ++id) {
    const auto token = static_cast<TokenId>(id);
    const std::string_view bytes = vocabulary.bytes(token);
    if (bytes.empty() || vocabulary.find(bytes) != token) continue;
    if (bytes.size() > kMaxScoredBytes) {
      throw_input("tokenizer: token {} has {} bytes; with merges by score at most {} are supported",
                  id, bytes.size(), kMaxScoredBytes);
    }
    for (std::size_t cut = 1; cut < bytes.size(); ++cut) {
      const TokenId left = vocabulary.find(bytes.substr(0, cut));
      if (left < 0) continue;
      const TokenId right = vocabulary.find(bytes.substr(cut));
      if (right >= 0) table.add(left, right, {ranks[id], token});
    }
  }
  return table;
}

bool cuts_before_spaces(const TokenizerData& data, const Vocabulary& vocabulary) {
  for (std::size_t id = 0; id < data.tokens.size(); ++id) {
    const auto token = static_cast<TokenId>(id);
    const std::string_view bytes = vocabulary.bytes(token);
    if (bytes.empty() || vocabulary.find(bytes) != token) continue;
    for (std::size_t i = 1; i < bytes.size(); ++i) {
      if (bytes[i] == ' ' && bytes[i - 1] != ' ') return false;
    }
  }
  return true;
}

}  // namespace laconic
