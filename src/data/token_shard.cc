// SPDX-License-Identifier: Apache-2.0
#include "data/token_shard.h"

#include <array>
#include <bit>
#include <cassert>
#include <cstring>
#include <string_view>

#include "base/checked.h"
#include "base/error.h"

namespace laconic {
namespace {

// The numbers are copied as they lie in memory.
static_assert(std::endian::native == std::endian::little);

constexpr std::string_view kMagic = "LACSHARD";
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kHeaderBytes = 48;
constexpr std::uint64_t kNarrowVocabulary = 65536;  // ids fit into 2 bytes
constexpr std::uint64_t kLargestVocabulary = std::uint64_t{1} << 31;

class Fnv {
 public:
  void add(std::span<const std::byte> bytes) {
    for (const std::byte byte : bytes) {
      state_ = (state_ ^ std::to_integer<std::uint64_t>(byte)) * 0x100000001b3u;
    }
  }
  std::uint64_t value() const { return state_; }

 private:
  std::uint64_t state_ = 0xcbf29ce484222325u;
};

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
  Fnv hash;
  for (const std::string& token : tokens) {
    // The end byte keeps "ab","c" apart from "a","bc".
    hash.add(std::as_bytes(std::span(token.c_str(), token.size() + 1)));
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
  std::uint64_t begin = 0;
  for (std::size_t i = 0; i < texts_; ++i) {
    if (end(i) > tokens_ || end(i) < begin + 2) {
      throw_input("{}: text {} ends at token {}, after {} and of {} in all", where, i, end(i),
                  begin, tokens_);
    }
    const auto loss_start = load<std::uint32_t>(loss_starts_, i * 4);
    if (loss_start >= end(i) - begin) {
      throw_input("{}: text {} has {} tokens, learning cannot start at {}", where, i,
                  end(i) - begin, loss_start);
    }
    begin = end(i);
  }
  if (begin != tokens_) {
    throw_input("{}: the texts end at token {} of {}", where, begin, tokens_);
  }
  Fnv hash;
  hash.add(bytes);
  content_hash_ = hash.value();
}

std::uint64_t TokenShard::end(std::size_t text) const {
  return load<std::uint64_t>(ends_, text * 8);
}

ShardText TokenShard::text(std::size_t index) const {
  assert(index < texts_);
  const std::uint64_t begin = index == 0 ? 0 : end(index - 1);
  ShardText text;
  text.loss_start = load<std::uint32_t>(loss_starts_, index * 4);
  text.ids.reserve(end(index) - begin);
  for (std::uint64_t i = begin; i < end(index); ++i) {
    const std::uint32_t id =
        id_bytes_ == 2 ? load<std::uint16_t>(ids_, i * 2) : load<std::uint32_t>(ids_, i * 4);
    if (id >= vocabulary_.size) {
      throw_input("{}: text {} has the id {}, the vocabulary ends at {}", path().string(), index,
                  id, vocabulary_.size - 1);
    }
    text.ids.push_back(static_cast<std::int32_t>(id));
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
