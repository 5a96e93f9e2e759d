// SPDX-License-Identifier: Apache-2.0
#include "train/shard_source.h"

#include <utility>

#include "base/error.h"

namespace laconic::train {

ShardSource::ShardSource(std::span<const std::filesystem::path> files) {
  for (const auto& file : files) {
    TokenShard shard(file);
    if (!shards_.empty() && shard.vocabulary() != vocabulary()) {
      throw_input("{} was made with another vocabulary than {}", file.string(),
                  shards_.front().path().string());
    }
    texts_ += shard.texts();
    shards_.push_back(std::move(shard));
  }
}

TrainingText ShardSource::text(std::uint64_t index, std::uint64_t) const {
  std::uint64_t place = index % texts_;
  std::size_t file = 0;
  for (; place >= shards_[file].texts(); ++file) place -= shards_[file].texts();
  ShardText text = shards_[file].text(place);
  return {name(file, place), std::move(text.ids), text.loss_start};
}

std::string ShardSource::name(std::size_t file, std::size_t place) const {
  return fmt::format("{} of {}", place, shards_[file].path().string());
}

void ShardSource::check(const TextLimits& limits) const {
  for (std::size_t file = 0; file < shards_.size(); ++file) {
    for (std::size_t place = 0; place < shards_[file].texts(); ++place) {
      check_length(name(file, place), shards_[file].length(place), limits);
    }
  }
}

std::string ShardSource::fingerprint() const {
  std::string all = "shards";
  for (const TokenShard& shard : shards_) all += fmt::format(" {:016x}", shard.content_hash());
  return all;
}

}  // namespace laconic::train
