// SPDX-License-Identifier: Apache-2.0
// Texts from token shards: in the order of the files and of their texts, from the start again at
// the end. Needs neither generator nor tokenizer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "data/token_shard.h"
#include "train/stream.h"

namespace laconic::train {

class ShardSource : public TextSource {
 public:
  // Error(kInput) when the shards differ in their vocabulary.
  explicit ShardSource(std::span<const std::filesystem::path> files);

  TrainingText text(std::uint64_t index, std::uint64_t tokens_before) const override;
  std::size_t vocab_size() const override { return shards_.front().vocabulary().size; }
  std::string fingerprint() const override;
  void check(const TextLimits& limits) const override;  // all texts

  const Vocabulary& vocabulary() const { return shards_.front().vocabulary(); }

 private:
  std::string name(std::size_t file, std::size_t place) const;

  std::vector<TokenShard> shards_;
  std::uint64_t texts_ = 0;
};

}  // namespace laconic::train
