// SPDX-License-Identifier: Apache-2.0
// Tokenised training texts in one file, to train where neither generator nor tokenizer is.
//
// Little endian, in this order: 8 bytes "LACSHARD"; u32 version (1); u32 bytes of an id (2 or 4);
// u64 vocabulary size; u64 vocabulary hash; u64 texts; u64 tokens; u64 ends[texts], the number of
// tokens up to and with each text; u32 loss_starts[texts], the first place of each text that is
// learned; ids[tokens]. Opening checks all of it: the sizes against the file, the ends for their
// order, each loss start against its text, each id against the vocabulary.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "base/file.h"

namespace laconic {

// FNV-1a over the tokens' texts in the order of their ids: equal for equal vocabularies.
std::uint64_t vocabulary_hash(std::span<const std::string> tokens);

struct Vocabulary {
  std::uint64_t size = 0;
  std::uint64_t hash = 0;

  bool operator==(const Vocabulary&) const = default;
};

struct ShardText {
  std::vector<std::int32_t> ids;  // at least 2
  std::size_t loss_start = 0;     // below ids.size()
};

class TokenShard {
 public:
  // Error(kInput) names the file and what is wrong.
  explicit TokenShard(const std::filesystem::path& path);

  const Vocabulary& vocabulary() const { return vocabulary_; }
  std::size_t texts() const { return texts_; }
  std::uint64_t tokens() const { return tokens_; }
  std::uint64_t content_hash() const { return content_hash_; }  // of the whole file
  const std::filesystem::path& path() const { return file_.path(); }

  // PRECONDITION: index < texts()
  ShardText text(std::size_t index) const;
  std::size_t length(std::size_t index) const;  // of its ids

 private:
  std::uint64_t begin(std::size_t text) const { return text == 0 ? 0 : end(text - 1); }
  std::uint64_t end(std::size_t text) const;
  std::uint32_t id(std::uint64_t token) const;

  MappedFile file_;
  Vocabulary vocabulary_;
  std::size_t id_bytes_ = 0, texts_ = 0;
  std::uint64_t tokens_ = 0, content_hash_ = 0;
  std::span<const std::byte> ends_, loss_starts_, ids_;
};

// Whole or absent. PRECONDITION: the texts keep the promises of ShardText and the vocabulary.
void write_token_shard(const std::filesystem::path& path, const Vocabulary& vocabulary,
                       std::span<const ShardText> texts);

}  // namespace laconic
