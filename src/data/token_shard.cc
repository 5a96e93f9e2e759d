// SPDX-License-Identifier: Apache-2.0
#include "data/token_shard.h"

#include <array>
#include <bit>
#include <cassert>
#include <cstring>
#include <string_view>

#include "base/checked.h"
#include "base/error.h"
#include "base/fnv.h"

namespace laconic {
namespace {

// The numbers are copied as they lie in memory.
static_assert(std::endian::native == std::endian::little);

constexpr std::string_view kMagic = "LACSHARD";
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kHeaderBytes = 48;
constexpr std::uint64_t kNarrowVocabulary = 65536;  // ids fit into 2 bytes
constexpr std::uint64_t kLargestVocabulary = std::uint64_t{1} << 31;

template <typename T>
T load(std::span<const std::byte> bytes, std::size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof(T));
  return value;
}

template <typename T>
void store(std::ostream& out, T value) {
  std::array<char, sizeof(T)> bytes;
  std::memcpy(bytes.data(), &value, sizeof(T));
  out.write(bytes.data(), sizeof(T));
}

}  // namespace

std::uint64_t vocabulary_hash(std::span<const std::string> tokens) {
  Fnv1a hash;
  for (const std::string& token : tokens) {
    // The end byte keeps "ab","c" apart from "a","bc".
    hash.add(std::string_view(token.c_str(), token.size() + 1));
  }
  return hash.value();
}

TokenShard::TokenShard(const std::filesystem::path& path) : file_(path) {
  const auto bytes = file_.bytes();
  const std::string where = path.string();
  if (bytes.size() < kHeaderBytes || std::memcmp(bytes.data(), kMagic.data(), kMagic.size()) != 0) {
    throw_input("{} is not a token shard: it does not begin with {}", where, kMagic);
  }
  const auto version = load<std::uint32_t>(bytes, 8);
  if (version != kVersion) {
    throw_input("{}: version {} of token shards is not known, {} is", where, version, kVersion);
  }
  id_bytes_ = load<std::uint32_t>(bytes, 12);
  vocabulary_ = {load<std::uint64_t>(bytes, 16), load<std::uint64_t>(bytes, 24)};
  texts_ = load<std::uint64_t>(bytes, 32);
  tokens_ = load<std::uint64_t>(bytes, 40);
  if (id_bytes_ != 2 && id_bytes_ != 4) {
    throw_input("{}: ids of {} bytes are not known, 2 and 4 are", where, id_bytes_);
  }
  if (vocabulary_.size == 0 || vocabulary_.size > kLargestVocabulary) {
    throw_input("{}: a vocabulary of {} tokens is not possible", where, vocabulary_.size);
  }
  if (texts_ == 0) throw_input("{}: a token shard without texts", where);
  const std::string what = where + ": the size of the tables";
  const std::size_t table_bytes = checked_mul(texts_, 12, what.c_str());
  const std::size_t id_area = checked_mul(tokens_, id_bytes_, what.c_str());
  const std::size_t whole =
      checked_add(checked_add(kHeaderBytes, table_bytes, what.c_str()), id_area, what.c_str());
  if (whole != bytes.size()) {
    throw_input("{} has {} bytes, its header speaks of {}", where, bytes.size(), whole);
  }
  ends_ = bytes.subspan(kHeaderBytes, texts_ * 8);
  loss_starts_ = bytes.subspan(kHeaderBytes + texts_ * 8, texts_ * 4);
  ids_ = bytes.subspan(kHeaderBytes + table_bytes);
  std::uint64_t before = 0;
  for (std::size_t i = 0; i < texts_; ++i) {
    if (end(i) > tokens_ || end(i) < before + 2) {
      throw_input("{}: text {} ends at token {}, after {} and of {} in all", where, i, end(i),
                  before, tokens_);
    }
    const auto loss_start = load<std::uint32_t>(loss_starts_, i * 4);
    if (loss_start >= end(i) - before) {
      throw_input("{}: text {} has {} tokens, learning cannot start at {}", where, i,
                  end(i) - before, loss_start);
    }
    before = end(i);
  }
  if (before != tokens_) {
    throw_input("{}: the texts end at token {} of {}", where, before, tokens_);
  }
  for (std::size_t i = 0; i < texts_; ++i) {
    for (std::uint64_t token = begin(i); token < end(i); ++token) {
      if (id(token) < vocabulary_.size) continue;
      throw_input("{}: text {} has the id {}, the vocabulary ends at {}", where, i, id(token),
                  vocabulary_.size - 1);
    }
  }
  Fnv1a hash;
  hash.add(bytes);
  content_hash_ = hash.value();
}

std::uint64_t TokenShard::end(std::size_t text) const {
  return load<std::uint64_t>(ends_, text * 8);
}

std::uint32_t TokenShard::id(std::uint64_t token) const {
  return id_bytes_ == 2 ? load<std::uint16_t>(ids_, token * 2)
                        : load<std::uint32_t>(ids_, token * 4);
}

std::size_t TokenShard::length(std::size_t index) const {
  assert(index < texts_);
  return end(index) - begin(index);
}

ShardText TokenShard::text(std::size_t index) const {
  assert(index < texts_);
  ShardText text;
  text.loss_start = load<std::uint32_t>(loss_starts_, index * 4);
  text.ids.reserve(length(index));
  for (std::uint64_t token = begin(index); token < end(index); ++token) {
    text.ids.push_back(static_cast<std::int32_t>(id(token)));
  }
  return text;
}

void write_token_shard(const std::filesystem::path& path, const Vocabulary& vocabulary,
                       std::span<const ShardText> texts) {
  std::uint64_t tokens = 0;
  for (const ShardText& text : texts) tokens += text.ids.size();
  const bool narrow = vocabulary.size <= kNarrowVocabulary;
  write_file_atomic(path, [&](std::ostream& out) {
    out.write(kMagic.data(), static_cast<std::streamsize>(kMagic.size()));
    store(out, kVersion);
    store(out, std::uint32_t{narrow ? 2u : 4u});
    store(out, vocabulary.size);
    store(out, vocabulary.hash);
    store(out, static_cast<std::uint64_t>(texts.size()));
    store(out, tokens);
    std::uint64_t end = 0;
    for (const ShardText& text : texts) store(out, end += text.ids.size());
    for (const ShardText& text : texts) store(out, static_cast<std::uint32_t>(text.loss_start));
    for (const ShardText& text : texts) {
      for (const std::int32_t id : text.ids) {
        if (narrow) {
          store(out, static_cast<std::uint16_t>(id));
        } else {
          store(out, static_cast<std::uint32_t>(id));
        }
      }
    }
  });
}

}  // namespace laconic
